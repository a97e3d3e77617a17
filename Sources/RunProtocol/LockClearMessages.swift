// The removal of a stale lock file of the script.

/// Service to runner: remove exactly this stale lock file of the script.
package struct LockClearRequest: Sendable, Equatable {
    package let runDirectory: String
    package let lockPath: String
    package let script: String
    /// The file that the decision was about.
    package let lockFile: LockFile

    package init(runDirectory: String, lockPath: String, script: String, lockFile: LockFile) {
        self.runDirectory = runDirectory
        self.lockPath = lockPath
        self.script = script
        self.lockFile = lockFile
    }

    package static let kind = "lock-clear"

    package var message: Message {
        var message = Message(Self.kind)
        message.add("run_directory", runDirectory)
        message.add("lock_path", lockPath)
        message.add("script", script)
        lockFile.add(to: &message)
        return message
    }

    package init(_ message: Message) throws(MessageError) {
        runDirectory = try message.requiredText("run_directory")
        lockPath = try message.requiredText("lock_path")
        script = try message.requiredText("script")
        guard let file = LockFile(message) else { throw .malformed("no lock_file") }
        lockFile = file
    }
}

/// Runner to service: the answer to a ``LockClearRequest``.
package enum LockClearReply: Sendable, Equatable {
    case cleared
    /// The file stays. The reason is shown to the client.
    case refused(String)

    package var message: Message {
        switch self {
        case .cleared: return Message("lock-cleared")
        case .refused(let reason):
            var message = Message("lock-kept")
            message.add("reason", reason)
            return message
        }
    }

    package init(_ message: Message) throws(MessageError) {
        switch message.kind {
        case "lock-cleared": self = .cleared
        case "lock-kept": self = .refused(try message.requiredText("reason"))
        default: throw .unexpected(kind: message.kind)
        }
    }
}
