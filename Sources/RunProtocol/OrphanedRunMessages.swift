// The processes of a run whose supervisor is gone, and their end. A living supervisor is asked through the run's own socket
// instead (``CancelRequest``).

/// Service to runner: which processes hold the run lock? The runner answers with ``RunProcesses``.
package struct RunProcessesRequest: Sendable, Equatable {
    package let runDirectory: String
    /// If set, the answer also has the orphans of this run's dead supervisor that hold no lock.
    package let run: Int64?

    package init(runDirectory: String, run: Int64?) {
        self.runDirectory = runDirectory
        self.run = run
    }

    package static let kind = "run-processes"

    package var message: Message {
        var message = Message(Self.kind)
        message.add("run_directory", runDirectory)
        if let run { message.add("run", run) }
        return message
    }

    package init(_ message: Message) throws(MessageError) {
        runDirectory = try message.requiredText("run_directory")
        run = message.integer("run")
    }
}

/// Runner to service: the answer to a ``RunProcessesRequest``.
package struct RunProcesses: Sendable, Equatable {
    /// At most ``maximum`` process numbers, ascending. Supervisors are among them only if the runner is root, because a
    /// process that cannot be traced hides its descriptors.
    package let pids: [Int64]

    package static let maximum = 256

    package init(pids: [Int64]) { self.pids = Array(pids.sorted().prefix(Self.maximum)) }

    package static let kind = "run-processes"

    package var message: Message {
        var message = Message(Self.kind)
        for pid in pids { message.add("pid", pid) }
        return message
    }

    package init(_ message: Message) throws(MessageError) {
        guard message.kind == Self.kind else { throw .unexpected(kind: message.kind) }
        self.init(pids: try message.processNumbers())
    }
}

/// Service to runner: end all processes of a run whose supervisor is gone.
///
/// It needs a connection of its own. The runner answers once TERM is sent. It then finishes the work, including KILL after
/// the grace period, even if the service goes away.
package struct EndRunRequest: Sendable, Equatable {
    package let runDirectory: String
    /// Only this run is ended. If the run lock names another run, its holders stay.
    package let run: Int64
    /// Time between TERM and KILL.
    package let graceSeconds: Int64

    package init(runDirectory: String, run: Int64, graceSeconds: Int64) {
        self.runDirectory = runDirectory
        self.run = run
        self.graceSeconds = graceSeconds
    }

    package static let kind = "end-run"

    package var message: Message {
        var message = Message(Self.kind)
        message.add("run_directory", runDirectory)
        message.add("run", run)
        message.add("grace_seconds", graceSeconds)
        return message
    }

    package init(_ message: Message) throws(MessageError) {
        runDirectory = try message.requiredText("run_directory")
        run = try message.requiredInteger("run")
        graceSeconds = try message.requiredInteger("grace_seconds")
        guard run > 0, (0...RunRequest.maximumSeconds).contains(graceSeconds) else { throw .malformed("a number out of range") }
    }
}

/// Runner to service: the answer to an ``EndRunRequest``.
package enum EndRunReply: Sendable, Equatable {
    /// These processes got TERM. Those that outlive the grace period get KILL.
    case ending(RunProcesses)
    /// The run has no process.
    case nothingLeft

    package var message: Message {
        switch self {
        case .ending(let processes):
            var message = Message("run-ending")
            for pid in processes.pids { message.add("pid", pid) }
            return message
        case .nothingLeft: return Message("run-gone")
        }
    }

    package init(_ message: Message) throws(MessageError) {
        switch message.kind {
        case "run-ending": self = .ending(RunProcesses(pids: try message.processNumbers()))
        case "run-gone": self = .nothingLeft
        default: throw .unexpected(kind: message.kind)
        }
    }
}

extension Message {
    fileprivate func processNumbers() throws(MessageError) -> [Int64] {
        let texts = texts("pid")
        let pids = texts.compactMap(Int64.init).filter { $0 > 0 && $0 <= Int64(Int32.max) }
        guard pids.count == texts.count else { throw .malformed("pid") }
        return pids
    }
}
