import AuditLog
import SQLite

// Entries that are about no start or end of a run.
extension HistoryStore {
    /// Records an event.
    /// - Parameter by: nil for what the service does by itself.
    package func record(_ event: AuditEvent, by principal: Principal? = nil) throws(HistoryError) {
        try record([AuditEntry(event, by: principal)])
    }

    /// Records events, all in one transaction.
    package func record(_ entries: [AuditEntry]) throws(HistoryError) {
        guard !entries.isEmpty else { return }
        try write { connection in _ = try self.log.append(entries, to: connection) }
    }

    /// Deletes the stored output of a run. Its digest stays, and an entry says who wanted that and why.
    package func redactOutput(of run: Int64, by principal: Principal, reason: String) throws(HistoryError) {
        try write { connection in
            let event = AuditEntry(.outputRedacted(run: run, reason: reason), by: principal)
            let entry = try self.log.append([event], to: connection).first
            try connection.execute("INSERT INTO output_redaction (run, entry) VALUES (?, ?)", [.integer(run), .integer(entry)])
            try connection.execute("DELETE FROM run_output WHERE id = ?", [.integer(run)])
        }
    }

    /// Begins or goes on although the audit log was declared damaged, and records who decided that.
    /// - Parameters:
    ///   - problems: what was found, for people.
    ///   - accepted: the digests of all that was found.
    package func resume(by principal: Principal, reason: String, problems: [String], accepted: [String]) throws(HistoryError) {
        let rollback = permission.lift()?.rollback
        try write { connection in
            let beginning = try Genesis(connection)
            if !beginning.hasEntries { try beginning.write(self.log, connection) }
            if try StoredLog.head(connection) == nil { try self.requireOwnKey(beginning, connection) }
            let recovery = Recovery(reason: reason, problems: problems, accepted: accepted, givenUp: rollback)
            let event = AuditEntry(.recovered(recovery), by: principal)
            let checkpoint = try self.log.append([event], to: connection, accepting: true).checkpoint
            // Otherwise nothing that is appended later would be signed.
            guard try StoredLog.head(connection)?.checkpoint == checkpoint.checkpoint else {
                throw HistoryError(
                    "\(self.path): a checkpoint is stored under more entries than there are, so that no new one would count; restore a backup")
            }
        }
    }

    /// Without a readable newest checkpoint the entries say who signs: they must end with our key.
    private func requireOwnKey(_ beginning: Genesis, _ connection: Connection) throws {
        let keys = try beginning.keys(after: EntryPage.all(of: .keyChanged, connection), connection)
        guard let last = keys.last, last != log.signer.verifierKey else { return }
        throw HistoryError(
            "\(path): the newest checkpoint cannot be read, and the entries end with the key \(last), which is not the one in AUDIT_KEY_FILE; put that key there (a change of keys that was cut short left it beside, with .next at its end), or restore a backup"
        )
    }
}
