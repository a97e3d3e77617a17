import AuditLog
import JSON
import SQLite

/// Which damage an administrator has accepted with `audit resume`: exactly what was found then, by the digests of its content,
/// and only where the entry that says so is proven to be under our last signature.
package struct Acceptance {
    private let digests: Set<String>

    /// No damage is accepted.
    init() { self.init(digests: []) }

    private init(digests: Set<String>) { self.digests = digests }

    /// Reads the newest acceptance in the signed tree. It names everything that was accepted until then.
    /// - Parameter key: the key that signs the log.
    init(_ connection: Connection, key: VerifierKey) throws {
        guard let head = try? StoredLog.head(connection), try head.isSigned(by: key) else {
            self.init()
            return
        }
        let isRecovery = HistoryIndexes.isOf(.recovered)
        let entries = try connection.query(
            "SELECT entry, bytes FROM leaf WHERE \(isRecovery.sql) AND entry >= 0 AND entry < ? ORDER BY entry DESC LIMIT 20",
            [isRecovery.value, .integer(head.checkpoint.size)]
        ) { ($0.integer(0) ?? -1, $0.blob(1) ?? []) }
        for (entry, bytes) in entries {
            guard let leaf = try? Leaf(stored: bytes), leaf.event == Event.recovered.rawValue, case .array(let accepted)? = leaf.object["accepted"],
                let proof = try? InclusionProof(index: entry, size: head.checkpoint.size, stored: { try StoredLog.hash($0, connection) }),
                proof.proves(leaf.hash, in: head.checkpoint.root)
            else { continue }
            self.init(digests: Set(accepted.compactMap { if case .string(let digest) = $0 { digest } else { nil } }))
            return
        }
        self.init()
    }

    func covers(_ damage: Damage) -> Bool { damage.digest.map(digests.contains) ?? false }
}

extension HistoryVerification.Report {
    /// What `audit resume` records of all that was found.
    /// - Throws: ``HistoryError`` where it cannot be accepted, because it could not be told from new damage later.
    package func acceptable() throws(HistoryError) -> [String] {
        if let damage = damage.first.first(where: { $0.digest == nil }) {
            throw HistoryError(
                "this damage cannot be accepted, because it cannot be told from what may come later: \(damage.text); restore a backup, or where only an index is damaged, rebuild it with the sqlite3 command REINDEX"
            )
        }
        guard damage.count == damage.first.count else {
            throw HistoryError("\(damage.count) problems are too many to be accepted one by one; restore a backup")
        }
        return damage.first.compactMap(\.digest)
    }
}
