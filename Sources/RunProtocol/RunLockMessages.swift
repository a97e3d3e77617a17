// The question about the run lock, and who holds it.

import Linux

/// Service to runner: is the run lock held? The service looks at the run lock itself. It asks to learn whether the
/// runner speaks its protocol and has the same run directory.
package struct RunLockRequest: Sendable, Equatable {
    package let runDirectory: String

    package init(runDirectory: String) { self.runDirectory = runDirectory }

    package static let kind = "lock-info"

    package var message: Message {
        var message = Message(Self.kind)
        message.add("run_directory", runDirectory)
        return message
    }

    package init(_ message: Message) throws(MessageError) { runDirectory = try message.requiredText("run_directory") }
}

/// Runner to service: the answer to a ``RunLockRequest``.
extension RunLockState {
    package var message: Message {
        var message = Message("lock-info")
        message.add("lease_held", held)
        holder?.add(to: &message)
        return message
    }

    package init(_ message: Message) throws(MessageError) {
        guard message.kind == "lock-info" else { throw .unexpected(kind: message.kind) }
        self.init(held: try message.requiredFlag("lease_held"), holder: RunLockHolder(message))
    }
}

/// Who holds the run lock, as the holder wrote it into the file. It is for people only; no decision may rest on it.
package struct RunLockHolder: Sendable, Equatable {
    /// The run's number, nil before it has one.
    package var run: Int64?
    /// The supervisor's process number.
    package var pid: Int64
    /// Milliseconds since 1970 UTC, within ``WallTime/range``.
    package let since: Int64

    package init(run: Int64?, pid: Int64, since: Int64) {
        self.run = run
        self.pid = pid
        self.since = WallTime.clamped(milliseconds: since)
    }

    package var message: Message {
        var message = Message("holder")
        add(to: &message)
        return message
    }

    func add(to message: inout Message) {
        if let run { message.add("holder_run", run) }
        message.add("holder_pid", pid)
        message.add("holder_since", since)
    }

    /// - Returns: nil if the message names no holder.
    package init?(_ message: Message) {
        guard let pid = message.integer("holder_pid"), let since = message.integer("holder_since") else { return nil }
        self.init(run: message.integer("holder_run"), pid: pid, since: since)
    }
}
