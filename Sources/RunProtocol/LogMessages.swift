// The question for the end of the script's log.

/// Service to runner: the last lines of the script's log.
package struct LogTailRequest: Sendable, Equatable {
    package let logPath: String
    /// If the log is a link, its target may also lie in this folder.
    package let logDirectory: String?
    /// No file in this folder is ever shown.
    package let stateDirectory: String
    /// Files that are never shown, under any name: settings, secrets, keys.
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

/// Runner to service: the answer to a ``LogTailRequest``.
package enum LogTail: Sendable, Equatable {
    /// How many lines the runner sends, and so the length of `GET /sync/log`. The only place in the sources.
    package static let maximumLines = 100
    /// Only this much of the end of the file is read. With it a message stays below ``Message/maximumBytes``.
    package static let maximumBytes: Int64 = 1 << 20

    /// The last lines, byte for byte, joined by LF, without a final LF.
    case lines([UInt8])
    /// The reason, for the operator's log. A client never sees it.
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
