// What the service asks of the script's side of the machine. A connection answers any number of these.

/// Service to runner: is the run lock held? The service looks for itself; by this question it learns whether the runner
/// speaks its protocol and has the same run directory.
public struct RunLockRequest: Sendable, Equatable {
    public let runDirectory: String

    public init(runDirectory: String) { self.runDirectory = runDirectory }

    public static let kind = "lock-info"

    public var message: Message {
        var message = Message(Self.kind)
        message.add("run_directory", runDirectory)
        return message
    }

    public init(_ message: Message) throws(MessageError) { runDirectory = try message.requiredText("run_directory") }
}

/// Runner to service: the answer to a ``RunLockRequest``.
extension RunLock {
    public var message: Message {
        var message = Message("lock-info")
        message.add("lease_held", held)
        holder?.add(to: &message)
        return message
    }

    public init(_ message: Message) throws(MessageError) {
        guard message.kind == "lock-info" else { throw .unexpected(kind: message.kind) }
        self.init(held: try message.requiredFlag("lease_held"), holder: LeaseHolder(message))
    }
}

/// Service to runner: may this script be started? Answered with `ready` or `unfit`, without touching the lease: a lease
/// taken only to look would make somebody's start fail.
public struct ScriptCheckRequest: Sendable, Equatable {
    public let script: String

    public init(script: String) { self.script = script }

    public static let kind = "check-script"

    public var message: Message {
        var message = Message(Self.kind)
        message.add("script", script)
        return message
    }

    public init(_ message: Message) throws(MessageError) { script = try message.requiredText("script") }
}

/// Service to runner: the last lines of the script's log.
public struct LogTailRequest: Sendable, Equatable {
    public let logPath: String
    /// A second folder in which the log, if it is a link, may lie.
    public let logDirectory: String?
    /// Nothing in this folder is ever shown.
    public let stateDirectory: String
    /// Device and inode of files that are never shown, under whatever name: settings, secrets, keys.
    public let forbidden: [FileIdentity]

    public init(logPath: String, logDirectory: String?, stateDirectory: String, forbidden: [FileIdentity]) {
        self.logPath = logPath
        self.logDirectory = logDirectory
        self.stateDirectory = stateDirectory
        self.forbidden = forbidden
    }

    public static let kind = "log-tail"

    public var message: Message {
        var message = Message(Self.kind)
        message.add("log_path", logPath)
        if let logDirectory { message.add("log_directory", logDirectory) }
        message.add("state_directory", stateDirectory)
        for file in forbidden { message.add("forbidden", file.text) }
        return message
    }

    public init(_ message: Message) throws(MessageError) {
        logPath = try message.requiredText("log_path")
        logDirectory = message.text("log_directory")
        stateDirectory = try message.requiredText("state_directory")
        let texts = message.texts("forbidden")
        forbidden = texts.compactMap(FileIdentity.init)
        guard forbidden.count == texts.count else { throw .malformed("forbidden") }
    }
}

/// A file's identity whatever its name.
public struct FileIdentity: Sendable, Equatable {
    public let device: UInt64
    public let inode: UInt64

    public init(device: UInt64, inode: UInt64) {
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
public enum LogTail: Sendable, Equatable {
    /// The last lines as they stand in the file, joined by LF, without a final LF.
    case lines([UInt8])
    /// Why not, for the operator's log; a client never sees it.
    case unreadable(String)

    public var message: Message {
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

    public init(_ message: Message) throws(MessageError) {
        switch message.kind {
        case "log-lines":
            guard let bytes = message.bytes("lines") else { throw .malformed("no lines") }
            self = .lines(bytes)
        case "log-unreadable": self = .unreadable(try message.requiredText("reason"))
        default: throw .unexpected(kind: message.kind)
        }
    }
}
