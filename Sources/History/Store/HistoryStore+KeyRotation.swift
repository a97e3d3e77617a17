import AuditLog
import SQLite

extension HistoryStore {
    /// Makes a new key, lets the old one approve it in the audit log, and puts it in the old one's place.
    ///
    /// This store keeps the old key and must not record any more.
    /// - Returns: the new verifier key.
    package func rotateKey(_ settings: AuditSettings, by principal: Principal) throws(HistoryError) -> VerifierKey {
        let (signer, finish) = try AuditKey.prepareNext(settings)
        let old = log.signer
        let checkpoint = try write { connection in
            // The old key approves the new one for the next place in the log, so the entry of a clock step must come first.
            try self.log.settleClock(connection)
            let change = try KeyChange.approve(signer.verifierKey, after: try StoredLog.tree(connection), by: old)
            let newLog = StoredLog(signer: signer, after: old.verifierKey)
            return try newLog.append([AuditEntry(.keyChanged(change), by: principal)], to: connection).checkpoint.cosigned(by: old)
        }
        // A history from before the change does not know the new key. Only the old key's signature shows it that it is behind.
        checkpointFile?.append(checkpoint)
        try finish()
        return signer.verifierKey
    }
}
