import AuditLog
import Linux
import SQLite
import Synchronization

/// The append-only log in the history's database: entries go in with the rows they describe, in one transaction, and
/// each transaction ends with a checkpoint signed over all that is there.
package final class StoredLog: Sendable {
    package let signer: AuditLog.Signer
    /// The wall clock minus the clock that cannot be set, at the last look. A change shows that the clock was set.
    private let clockOffset = Mutex<Int64?>(nil)
    /// The newest checkpoint that this process knows to be committed.
    private let committed = Mutex<SignedCheckpoint?>(nil)
    private static let tolerableStepMilliseconds: Int64 = 2000

    /// The key that signed the head before a rotation; nil: the signer's own.
    private let predecessor: VerifierKey?

    init(signer: AuditLog.Signer, after predecessor: VerifierKey? = nil) {
        self.signer = signer
        self.predecessor = predecessor
    }

    /// Appends within the caller's transaction.
    ///
    /// The head is read in here, inside the write lock: another process may have appended since.
    /// - Parameter accepting: whether to go on over a tree that is not the one that was signed, which is an
    ///   administrator's recorded decision. Otherwise our signature would make a forgery genuine.
    /// - Returns: the number of the first entry, and the checkpoint over all.
    @discardableResult
    package func append(
        _ entries: [AuditEntry], to connection: Connection, accepting: Bool = false
    ) throws -> (first: Int64, checkpoint: SignedCheckpoint) {
        var tree = try Self.tree(connection)
        if !accepting { try requireNewest(tree, connection) }
        let stepped = try clockStep(connection, size: tree.size).map { [$0] } ?? []
        let first = tree.size + Int64(stepped.count)
        for entry in stepped + entries {
            let leaf = try Leaf(entry.event.kind, at: LeafTime(microseconds: Clock.wallMicroseconds()), entry.members)
            try connection.execute("INSERT INTO leaf (entry, bytes) VALUES (?, ?)", [.integer(tree.size), .blob(leaf.bytes)])
            if let run = leaf.integer("run") {
                try connection.execute("INSERT INTO run_entry (run, entry) VALUES (?, ?)", [.integer(run), .integer(tree.size)])
            }
            for stored in tree.append(leaf.hash) {
                try connection.execute(
                    "INSERT INTO tree_hash (position, hash) VALUES (?, ?)",
                    [.integer(stored.subtree.position), .blob(stored.hash.bytes)])
            }
        }
        let checkpoint = try SignedCheckpoint(of: tree, signedBy: signer)
        try connection.execute(
            "INSERT INTO checkpoint (size, note) VALUES (?, ?)", [.integer(tree.size), .blob(checkpoint.note.encoded)])
        return (first, checkpoint)
    }

    /// Records a step of the clock now, if there was one. Then the next `append` begins with the caller's own entry.
    func settleClock(_ connection: Connection) throws {
        let tree = try Self.tree(connection)
        try requireNewest(tree, connection)
        if let step = try clockStep(connection, size: tree.size) { try append([step], to: connection) }
    }

    /// Call this with each committed checkpoint, in the order of the commits.
    func remember(_ checkpoint: SignedCheckpoint) { committed.withLock { $0 = checkpoint } }

    /// The newest checkpoint that this process knows to be committed, without reading: it covers all that this process has
    /// recorded. nil where there was none at the start.
    package var newestKnown: SignedCheckpoint? { committed.withLock { $0 } }

    /// The stored tree has to be signed, and to extend what this process has seen, because an older file may have been put in the
    /// place of the open one.
    private func requireNewest(_ tree: Tree, _ connection: Connection) throws {
        try requireSigned(tree, connection)
        guard let known = newestKnown?.checkpoint else { return }
        guard known.size <= tree.size, try (known.size == tree.size ? tree : Self.tree(connection, size: known.size)).root == known.root
        else { throw StoredLogError.rolledBack(known: known.size, size: tree.size) }
    }

    /// The stored tree has to be the one our last signature covers.
    private func requireSigned(_ tree: Tree, _ connection: Connection) throws {
        guard tree.size > 0 else { return }
        guard let head = try Self.head(connection), try head.isSigned(by: predecessor ?? signer.verifierKey),
            head.checkpoint.size == tree.size, head.checkpoint.root == tree.root
        else { throw StoredLogError.notAsSigned(size: tree.size) }
    }

    /// The event of a clock that was set, compared with the clock that cannot be set. After a start it is compared with the last
    /// entry, which cannot be of the future.
    private func clockStep(_ connection: Connection, size: Int64) throws -> AuditEntry? {
        let now = Clock.wallMilliseconds()
        let offset = now - Clock.bootMilliseconds()
        let before = clockOffset.withLock { previous in
            defer { previous = offset }
            return previous
        }
        var step: Int64?
        if let before {
            step = offset - before
        } else if size > 0 {
            let last = try connection.first("SELECT bytes FROM leaf WHERE entry = ?", [.integer(size - 1)]) { $0.blob(0) ?? [] }
            if let leaf = last.flatMap({ try? Leaf(stored: $0) }) { step = min(0, now - leaf.at.microseconds / 1000) }
        }
        guard let step, abs(step) > Self.tolerableStepMilliseconds else { return nil }
        return AuditEntry(.clockStepped(milliseconds: step))
    }
}
