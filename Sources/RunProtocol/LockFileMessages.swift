import Linux

/// The script's own lock file, with its identity, so that a decision about this file never applies to another.
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

    /// - Returns: nil if the message names no lock file.
    init?(_ message: Message) {
        guard let identity = message.text("lock_file").flatMap(FileIdentity.init), let modified = message.integer("lock_file_modified"),
            let owner = message.integer("lock_file_owner")
        else { return nil }
        self.init(identity: identity, modified: modified, owner: owner)
    }
}

/// Service to runner: does the script's lock file exist? It is a separate question, because the file's disk may hang.
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
    /// nil if there is none.
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
        // A malformed lock file must not count as no lock file.
        guard file != nil || message.bytes("lock_file") == nil else { throw .malformed("lock_file") }
    }
}
