import Linux
import RunProtocol
import Synchronization

/// Asks a runner about a path whose disk may hang. A process that looks at such a path stays in the kernel, where no signal
/// reaches it. While one answer is missing no second runner is started, so at most one process hangs for each breaker,
/// however often it is asked.
///
/// Calls block, one at a time. The first one for which a path hangs waits for the patience given; later ones fail at once
/// until the path answers again.
final class CircuitBreaker: Sendable {
    private struct State {
        /// The runner that is kept, because a process for each question costs more than the answer.
        var runner: MessageChannel?
        /// Since when an answer of that runner is missing.
        var waitingSince: Int64?
        var lastAnswer: Int64?
    }

    /// What is asked about, for people, such as "the script's log".
    private let subject: String
    private let patienceMilliseconds: Int64
    private let connect: @Sendable () throws(SystemError) -> MessageChannel
    private let state = Mutex(State())

    /// - Parameters:
    ///   - subject: what is asked about, for messages, such as "the script's log".
    ///   - patienceMilliseconds: far more than an answer takes.
    ///   - connect: makes a connection to a new runner.
    init(
        about subject: String, patienceMilliseconds: Int64 = 5000, connect: @escaping @Sendable () throws(SystemError) -> MessageChannel
    ) {
        self.subject = subject
        self.patienceMilliseconds = patienceMilliseconds
        self.connect = connect
    }

    /// Asks a question that changes nothing: a runner that was killed since the last one is replaced.
    /// - Throws: ``PathHangs``, ``RunnerRefusal``, or why no runner can be reached.
    func ask(_ question: Message) throws -> Message {
        try state.withLock { state in
            try requireAnswered(&state)
            if let kept = state.runner {
                do { return try exchange(question, kept, &state) } catch is ChannelError { state.runner = nil }
            }
            return try exchange(question, try connect(), &state)
        }
    }

    /// Asks for something to be done, once: after a lost answer nobody knows whether it was done.
    /// - Throws: as ``ask(_:)``; ``ChannelError`` where the runner was lost before it answered.
    func askOnce(_ question: Message) throws -> Message {
        try state.withLock { state in
            try requireAnswered(&state)
            state.runner = nil
            return try exchange(question, try connect(), &state)
        }
    }

    /// Takes a late answer from the kept runner. Its question is no longer waited for.
    private func requireAnswered(_ state: inout State) throws {
        guard let since = state.waitingSince, let kept = state.runner else { return }
        guard try !Poll.readable([kept.descriptor], milliseconds: 0).isEmpty else { throw hangs(since, state) }
        state.waitingSince = nil
        if (try? kept.receive(milliseconds: patienceMilliseconds)) == nil { state.runner = nil }
    }

    private func exchange(_ question: Message, _ channel: MessageChannel, _ state: inout State) throws -> Message {
        let asked = Clock.monotonicMilliseconds()
        try channel.send(question)
        state.runner = channel
        guard try !Poll.readable([channel.descriptor], milliseconds: patienceMilliseconds).isEmpty else {
            state.waitingSince = asked
            throw hangs(asked, state)
        }
        let answer: Message
        do { answer = try channel.receive(milliseconds: patienceMilliseconds) } catch {
            // Half a message may have been read: what follows on this connection means nothing.
            state.runner = nil
            throw error
        }
        state.lastAnswer = Clock.monotonicMilliseconds()
        switch try? RunReply(answer) {
        case .failed(let reason): throw RunnerRefusal(description: reason, isAboutSettings: false)
        case .refused(let reason): throw RunnerRefusal(description: reason, isAboutSettings: true)
        default: return answer
        }
    }

    private func hangs(_ since: Int64, _ state: State) -> PathHangs {
        let now = Clock.monotonicMilliseconds()
        return PathHangs(subject: subject, seconds: (now - since) / 1000, lastAnswerSeconds: state.lastAnswer.map { (now - $0) / 1000 })
    }
}

/// A path on the script's side does not answer: its disk, most often one over the network, hangs.
package struct PathHangs: Error, CustomStringConvertible {
    package let subject: String
    /// How long the answer has been missing.
    package let seconds: Int64
    /// The age of the last answer; nil where there was none.
    let lastAnswerSeconds: Int64?

    /// Fit for a client: it names no path.
    package var description: String {
        "\(subject) has not answered for \(seconds) s"
            + (lastAnswerSeconds.map { ", the last answer is \($0) s old" } ?? ", and never before") + "; check its disk"
    }
}

/// The runner does not answer a question, and says why.
package struct RunnerRefusal: Error, CustomStringConvertible {
    package let description: String
    /// Whether its own settings do not permit what was asked for. Otherwise it cannot answer now.
    package let isAboutSettings: Bool
}
