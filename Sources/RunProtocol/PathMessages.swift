/// The default paths of the script's own files, as the API's documentation gives them.
package enum ScriptPaths {
    package static let lock = "/tmp/sync_fkk_db.lock"
    package static let log = "/var/log/sync_fkk_db.log"
}

/// Service to runner: what do you see at this path? Another user, or a unit with a private /tmp, may see another file there,
/// or none.
package struct PathRequest: Sendable, Equatable {
    package let path: String

    package init(path: String) { self.path = path }

    package static let kind = "path"

    package var message: Message {
        var message = Message(Self.kind)
        message.add("path", path)
        return message
    }

    package init(_ message: Message) throws(MessageError) { path = try message.requiredText("path") }
}

/// Runner to service: the answer to a ``PathRequest``.
package struct PathFacts: Sendable, Equatable {
    /// The file, with links followed; nil if there is none or the runner cannot see it.
    package let identity: FileIdentity?
    package let readable: Bool
    package let writable: Bool
    /// The runner's user.
    package let uid: Int64

    package init(identity: FileIdentity?, readable: Bool, writable: Bool, uid: Int64) {
        self.identity = identity
        self.readable = readable
        self.writable = writable
        self.uid = uid
    }

    package static let kind = "path-facts"

    package var message: Message {
        var message = Message(Self.kind)
        if let identity { message.add("identity", identity.text) }
        message.add("readable", readable)
        message.add("writable", writable)
        message.add("uid", uid)
        return message
    }

    package init(_ message: Message) throws(MessageError) {
        guard message.kind == Self.kind else { throw .unexpected(kind: message.kind) }
        let text = message.text("identity")
        identity = text.flatMap(FileIdentity.init)
        guard (identity == nil) == (text == nil) else { throw .malformed("identity") }
        readable = try message.requiredFlag("readable")
        writable = try message.requiredFlag("writable")
        uid = try message.requiredInteger("uid")
    }
}
