// What the service asks of the script's side of the machine. A connection answers any number of these.

/// Service to runner: is the run lock held? The service looks for itself; by this question it learns whether the runner
/// speaks its protocol and has the same run directory.
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
        self.init(held: try message.requiredFlag("lease_held"), holder: LeaseHolder(message))
    }
}

/// Service to runner: may this script be started? Answered with `ready` or `unfit`, without touching the run lock: a run lock
/// taken only to look would make somebody's start fail.
package struct ScriptCheckRequest: Sendable, Equatable {
    package let script: String

    package init(script: String) { self.script = script }

    package static let kind = "check-script"

    package var message: Message {
        var message = Message(Self.kind)
        message.add("script", script)
        return message
    }

    package init(_ message: Message) throws(MessageError) { script = try message.requiredText("script") }
}

/// Service to runner: the last lines of the script's log.
package struct LogTailRequest: Sendable, Equatable {
    package let logPath: String
    /// A second folder in which the log, if it is a link, may lie.
    package let logDirectory: String?
    /// Nothing in this folder is ever shown.
    package let stateDirectory: String
    /// Device and inode of files that are never shown, under whatever name: settings, secrets, keys.
    package let forbidden: [FileIdentity]

    package init(logPath: String, logDirectory: String?, stateDirectory: String, forbidden: [FileIdentity]) {
        self.logPath = logPath
        self.logDirectory = logDirectory
        self.stateDirectory = stateDirectory
        self.forbidden = forbidden
    }

    package static let kind = "log-tail"

    package var message: Message {
        var message = Message(Self.kind)
        message.add("log_path", logPath)
        if let logDirectory { message.add("log_directory", logDirectory) }
        message.add("state_directory", stateDirectory)
        for file in forbidden { message.add("forbidden", file.text) }
        return message
    }

    package init(_ message: Message) throws(MessageError) {
        logPath = try message.requiredText("log_path")
        logDirectory = message.text("log_directory")
        stateDirectory = try message.requiredText("state_directory")
        let texts = message.texts("forbidden")
        forbidden = texts.compactMap(FileIdentity.init)
        guard forbidden.count == texts.count else { throw .malformed("forbidden") }
    }
}

/// A file's identity whatever its name.
package struct FileIdentity: Sendable, Equatable {
    package let device: UInt64
    package let inode: UInt64

    package init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    var text: String { "\(device):\(inode)" }

    init?(_ text: String) {
        let parts = text.split(separator: ":").compactMap { UInt64($0) }
        guard parts.count == 2 else { return nil }
        self.init(device: parts[0], inode: parts[1])
    }
}

/// Runner to service: the answer to a ``LogTailRequest``.
package enum LogTail: Sendable, Equatable {
    /// The last lines as they stand in the file, joined by LF, without a final LF.
    case lines([UInt8])
    /// Why not, for the operator's log; a client never sees it.
    case unreadable(String)

    package var message: Message {
        switch self {
        case .lines(let bytes):
            var message = Message("log-lines")
            message.add("lines", bytes)
            return message
        case .unreadable(let reason):
            var message = Message("log-unreadable")
            message.add("reason", reason)
            return message
        }
    }

    package init(_ message: Message) throws(MessageError) {
        switch message.kind {
        case "log-lines":
            guard let bytes = message.bytes("lines") else { throw .malformed("no lines") }
            self = .lines(bytes)
        case "log-unreadable": self = .unreadable(try message.requiredText("reason"))
        default: throw .unexpected(kind: message.kind)
        }
    }
}
