import Linux

/// The script's own lock file: which one it is, so that a decision about it is about no other.
package struct LockFile: Sendable, Equatable {
    package let identity: FileIdentity
    /// Last change, milliseconds since 1970 UTC, within ``WallTime/range``.
    package let modified: Int64
    package let owner: Int64

    package init(identity: FileIdentity, modified: Int64, owner: Int64) {
        self.identity = identity
        self.modified = WallTime.clamped(milliseconds: modified)
        self.owner = owner
    }

    func add(to message: inout Message) {
        message.add("lock_file", identity.text)
        message.add("lock_file_modified", modified)
        message.add("lock_file_owner", owner)
    }

    /// - Returns: nil where the message names no lock file.
    init?(_ message: Message) {
        guard let identity = message.text("lock_file").flatMap(FileIdentity.init), let modified = message.integer("lock_file_modified"),
            let owner = message.integer("lock_file_owner")
        else { return nil }
        self.init(identity: identity, modified: modified, owner: owner)
    }
}

/// Service to runner: is the script's lock file there? A question of its own, because the file's disk may hang.
package struct LockFileRequest: Sendable, Equatable {
    package let lockPath: String

    package init(lockPath: String) { self.lockPath = lockPath }

    package static let kind = "lock-file"

    package var message: Message {
        var message = Message(Self.kind)
        message.add("lock_path", lockPath)
        return message
    }

    package init(_ message: Message) throws(MessageError) { lockPath = try message.requiredText("lock_path") }
}

/// Runner to service: the answer to a ``LockFileRequest``.
package struct LockFileReply: Sendable, Equatable {
    /// nil where there is none.
    package let file: LockFile?

    package init(file: LockFile?) { self.file = file }

    package var message: Message {
        var message = Message("lock-file")
        file?.add(to: &message)
        return message
    }

    package init(_ message: Message) throws(MessageError) {
        guard message.kind == "lock-file" else { throw .unexpected(kind: message.kind) }
        file = LockFile(message)
        // A file that cannot be read is not the same as no file.
        guard file != nil || message.bytes("lock_file") == nil else { throw .malformed("lock_file") }
    }
}

/// Whether a process of the script lives outside our runs, by a look at the process table.
package enum ScriptProcess: String, Sendable {
    case yes, no
    /// The runner cannot tell: processes are hidden from it, or one may be running the script.
    case cannotSee = "cannot_see"
}

/// Service to runner: does the script run somewhere? Answered with its ``ScriptProcess``.
package struct ScriptProcessRequest: Sendable, Equatable {
    package let script: String
    /// The script's own lock file. While somebody holds a lock on it, the script lives.
    package let lockPath: String

    package init(script: String, lockPath: String) {
        self.script = script
        self.lockPath = lockPath
    }

    package static let kind = "script-process"

    package var message: Message {
        var message = Message(Self.kind)
        message.add("script", script)
        message.add("lock_path", lockPath)
        return message
    }

    package init(_ message: Message) throws(MessageError) {
        script = try message.requiredText("script")
        lockPath = try message.requiredText("lock_path")
    }
}

extension ScriptProcess {
    package var message: Message {
        var message = Message("script-process")
        message.add("found", rawValue)
        return message
    }

    package init(_ message: Message) throws(MessageError) {
        guard message.kind == "script-process", let found = ScriptProcess(rawValue: try message.requiredText("found")) else {
            throw .unexpected(kind: message.kind)
        }
        self = found
    }
}

/// Service to runner: remove exactly this stale lock file of the script.
package struct LockClearRequest: Sendable, Equatable {
    package let runDirectory: String
    package let lockPath: String
    package let script: String
    /// The file as it was seen when the decision was made.
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
    /// Left as it is, and why, fit for the client.
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

/// Service to supervisor, through the run's own socket: end the script and all that came of it. Answered with ``CancelReply``.
package enum CancelRequest {
    package static let message = Message("cancel")
}

/// Supervisor to service: what came of a ``CancelRequest``.
package enum CancelReply: String, Sendable {
    /// The run is being ended for that, and its result says so.
    case ending = "run-cancelling"
    /// The script has ended, or is being ended for another reason.
    case tooLate = "cancel-too-late"

    package var message: Message { Message(rawValue) }

    package init(_ message: Message) throws(MessageError) {
        guard let reply = CancelReply(rawValue: message.kind) else { throw .unexpected(kind: message.kind) }
        self = reply
    }
}
