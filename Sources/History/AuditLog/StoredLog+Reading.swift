import AuditLog
import SQLite

/// What readers and the writer take from the stored audit log. Each call reads within the caller's transaction.
extension StoredLog {
    /// The tree over all entries, from the stored hashes.
    package static func tree(_ connection: Connection) throws -> Tree {
        try tree(connection, size: entryCount(connection))
    }

    /// The tree over the first `size` entries, from the stored hashes.
    static func tree(_ connection: Connection, size: Int64) throws -> Tree {
        let edge = try Tree.edge(ofSize: size).map { try hash($0, connection) }
        guard let tree = Tree(size: size, edge: edge) else { throw StoredLogError.edgeMissing(size: size) }
        return tree
    }

    /// A stored hash.
    static func hash(_ subtree: Subtree, _ connection: Connection) throws -> Hash {
        let bytes = try connection.first("SELECT hash FROM tree_hash WHERE position = ?", [.integer(subtree.position)]) { $0.blob(0) ?? [] }
        guard let hash = bytes.flatMap({ Hash($0) }) else { throw StoredLogError.hashMissing(entries: subtree.entries) }
        return hash
    }

    /// The newest checkpoint; nil where there is none. A row that is no checkpoint counts as a missing one.
    static func head(_ connection: Connection) throws -> SignedCheckpoint? {
        let note = try connection.first("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1") { $0.blob(0) ?? [] }
        return note.flatMap { try? SignedCheckpoint(parsing: $0) }
    }

    /// How many entries the newest checkpoint covers; 0 where it cannot be read.
    static func signedSize(_ connection: Connection) throws -> Int64 { try head(connection)?.checkpoint.size ?? 0 }

    /// How many entries are stored.
    static func entryCount(_ connection: Connection) throws(SQLiteError) -> Int64 {
        try connection.first("SELECT coalesce(max(entry) + 1, 0) FROM leaf") { $0.integer(0) ?? 0 } ?? 0
    }
}
