// Questions about the script: may it be started, and does it run already?

/// Service to runner: may this script be started? The runner answers ``RunReply/ready`` or ``RunReply/unfit``. It does
/// not take the run lock: if it did, a start at that moment would fail.
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

/// Whether a process of the script runs outside our runs, according to the process table.
package enum ScriptProcess: String, Sendable {
    case yes, no
    /// The runner cannot tell: processes are hidden from it, or one may be running the script.
    case cannotSee = "cannot_see"
}

/// Service to runner: does the script run somewhere? The runner answers with a ``ScriptProcess``.
package struct ScriptProcessRequest: Sendable, Equatable {
    package let script: String
    /// The script's own lock file. While a process holds a lock on it, the script is running.
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
