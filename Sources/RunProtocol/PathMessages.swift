/// The script's own paths where no setting names them, as the user's documentation of the API has them.
public enum ScriptPaths {
    public static let lock = "/tmp/sync_fkk_db.lock"
    public static let log = "/var/log/sync_fkk_db.log"
}

/// Service to runner: what do you see at this path? Another user, or a unit with a /tmp of its own, may see another file
/// there, or none.
public struct PathRequest: Sendable, Equatable {
    public let path: String

    public init(path: String) { self.path = path }

    public static let kind = "path"

    public var message: Message {
        var message = Message(Self.kind)
        message.add("path", path)
        return message
    }

    public init(_ message: Message) throws(MessageError) { path = try message.requiredText("path") }
}

/// Runner to service: the answer to a ``PathRequest``.
public struct PathFacts: Sendable, Equatable {
    /// Which file it is, links followed; nil where there is none or it cannot be seen.
    public let identity: FileIdentity?
    public let readable: Bool
    public let writable: Bool
    /// The user who looked.
    public let uid: Int64

    public init(identity: FileIdentity?, readable: Bool, writable: Bool, uid: Int64) {
        self.identity = identity
        self.readable = readable
        self.writable = writable
        self.uid = uid
    }

    public static let kind = "path-facts"

    public var message: Message {
        var message = Message(Self.kind)
        if let identity { message.add("identity", identity.text) }
        message.add("readable", readable)
        message.add("writable", writable)
        message.add("uid", uid)
        return message
    }

    public init(_ message: Message) throws(MessageError) {
        guard message.kind == Self.kind else { throw .unexpected(kind: message.kind) }
        let text = message.text("identity")
        identity = text.flatMap(FileIdentity.init)
        guard (identity == nil) == (text == nil) else { throw .malformed("identity") }
        readable = try message.requiredFlag("readable")
        writable = try message.requiredFlag("writable")
        uid = try message.requiredInteger("uid")
    }
}
