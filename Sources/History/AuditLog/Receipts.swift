import AuditLog
import SQLite

extension HistoryReader {
    /// The newest signed checkpoint; nil where there is none that can be read.
    package func newestCheckpoint() throws(HistoryError) -> SignedCheckpoint? { try read { try StoredLog.head($0) } }

    /// Whether the audit log has entries.
    package func hasBegun() throws(HistoryError) -> Bool { try read { try Genesis($0).hasEntries } }

    /// The proof that the last entry about a run is in the log, for keeping and checking elsewhere.
    /// - Returns: nil where no signed entry is about that run.
    package func receipt(of run: Int64) throws(HistoryError) -> Receipt? {
        try read { connection in
            let entry = try connection.first("SELECT max(entry) FROM run_entry WHERE run = ?", [.integer(run)]) { $0.integer(0) } ?? nil
            guard let entry, let head = try StoredLog.head(connection), (0..<head.checkpoint.size).contains(entry),
                let bytes = try connection.first("SELECT bytes FROM leaf WHERE entry = ?", [.integer(entry)], { $0.blob(0) ?? [] })
            else { return nil }
            let proof = try InclusionProof(index: entry, size: head.checkpoint.size) { try StoredLog.hash($0, connection) }
            return try Receipt(entry: bytes, proof: proof, signedCheckpoint: head)
        }
    }
}
