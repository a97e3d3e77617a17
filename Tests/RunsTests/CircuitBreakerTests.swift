import Linux
import RunProtocol
import Synchronization
import Testing

@testable import Runs

/// Connections to runners that a test plays itself.
private final class Runners: Sendable {
    private let ends = Mutex<[MessageChannel]>([])

    /// How many runners were started.
    var count: Int { ends.withLock { $0.count } }
    var newest: MessageChannel { ends.withLock { $0[$0.count - 1] } }

    func connect() throws(SystemError) -> MessageChannel {
        let (ours, theirs) = try Descriptor.socketPair()
        ends.withLock { $0.append(MessageChannel(theirs)) }
        return MessageChannel(ours)
    }

    /// The newest runner is killed.
    func endNewest() { ends.withLock { ends in LocalSocket.endWriting(ends[ends.count - 1].descriptor) } }
}

@Suite struct CircuitBreakerTests {
    private let runners = Runners()
    private let question = Message("question")

    /// - Parameter answering: runners answer as soon as they are there, before they are asked.
    private func breaker(answering answer: Message? = nil, patience: Int64 = 60_000) -> CircuitBreaker {
        CircuitBreaker(about: "the disk", patienceMilliseconds: patience) { [runners] () throws(SystemError) in
            let channel = try runners.connect()
            if let answer { try? runners.newest.send(answer) }
            return channel
        }
    }

    @Test func aRunnerIsKeptForTheNextQuestion() throws {
        let breaker = breaker(answering: Message("answer"))
        #expect(try breaker.ask(question).kind == "answer")
        #expect(try runners.newest.receive().kind == "question")
        try runners.newest.send(Message("second"))
        #expect(try breaker.ask(question).kind == "second")
        #expect(runners.count == 1)
    }

    @Test func whileAnAnswerIsMissingNoSecondRunnerIsStarted() throws {
        let breaker = breaker(patience: 1)
        for _ in 0..<50 { #expect(throws: PathHangs.self) { try breaker.ask(question) } }
        #expect(throws: PathHangs.self) { try breaker.askOnce(question) }
        #expect(runners.count == 1)
        #expect(try runners.newest.receive().kind == "question")
        #expect(try Poll.readable([runners.newest.descriptor], milliseconds: 0).isEmpty, "it was asked once")
    }

    @Test func aLateAnswerIsNotTakenForTheNextOne() throws {
        let breaker = breaker(patience: 1)
        #expect(throws: PathHangs.self) { try breaker.ask(question) }
        try runners.newest.send(Message("late"))
        try runners.newest.send(Message("next"))
        #expect(try breaker.ask(question).kind == "next")
        #expect(runners.count == 1)
    }

    @Test func aPathThatHangsIsNamedWithTheAgeOfItsLastAnswer() throws {
        let breaker = breaker(answering: Message("answer"), patience: 1)
        _ = try breaker.ask(question)
        let error = #expect(throws: PathHangs.self) { try breaker.ask(question) }
        #expect(error?.subject == "the disk")
        #expect(error?.lastAnswerSeconds != nil)
    }

    @Test func aRunnerThatWasKilledIsReplacedForAQuestion() throws {
        let breaker = breaker(answering: Message("answer"))
        _ = try breaker.ask(question)
        runners.endNewest()
        #expect(try breaker.ask(question).kind == "answer")
        #expect(runners.count == 2)
    }

    @Test func aRunnerThatIsLostWhileItActsIsNotAskedAgain() throws {
        let breaker = CircuitBreaker(about: "the disk", patienceMilliseconds: 60_000) { [runners] () throws(SystemError) in
            let channel = try runners.connect()
            runners.endNewest()
            return channel
        }
        #expect(throws: ChannelError.self) { try breaker.askOnce(question) }
        #expect(runners.count == 1)
    }

    @Test func aRefusalIsAnErrorWithItsReason() throws {
        let failed = #expect(throws: RunnerRefusal.self) { try breaker(answering: RunReply.failed("no memory").message).ask(question) }
        #expect(failed?.description == "no memory" && failed?.isAboutSettings == false)
        let refused = #expect(throws: RunnerRefusal.self) { try breaker(answering: RunReply.refused("not permitted").message).ask(question) }
        #expect(refused?.isAboutSettings == true)
    }
}
