import AuditLog
import Encoding
import JSON
import OpenSSL
import SQLite

/// The beginning of an audit log: entry 0, and the runs that were recorded before there was one.
struct Genesis: Sendable {
    let hasEntries: Bool
    /// The key that entry 0 names.
    let firstKey: VerifierKey?

    init(_ connection: Connection) throws {
        let bytes = try connection.first("SELECT bytes FROM leaf WHERE entry >= 0 ORDER BY entry LIMIT 1") { $0.blob(0) ?? [] }
        hasEntries = bytes != nil
        if case .string(let vkey)? = bytes.flatMap({ try? Leaf(stored: $0) })?.object["vkey"] {
            firstKey = try? VerifierKey(parsing: vkey)
        } else {
            firstKey = nil
        }
    }

    /// Why this is not the expected history; nil where it is.
    func problem(pinned: VerifierKey?, signer: AuditLog.Signer, _ connection: Connection) throws -> String? {
        guard let pinned else { return nil }
        if !hasEntries {
            return
                "AUDIT_VKEY says that there is a history, and there is none; put the backup back, or accept the gap with sync-service audit resume --reason"
        }
        guard try leads(from: pinned, to: signer.verifierKey, connection) else {
            return "the history is not signed by the key in AUDIT_VKEY; put the right history and key back, or correct AUDIT_VKEY"
        }
        return nil
    }

    /// Whether the present key is the pinned one or came from it, each key approved by the one before: the rule of
    /// `LogVerifier`. The pinned key may be any of them, because it may have been noted after one change and before the
    /// next. It is not enough that entry 0 names it, because a forged log can name it too.
    private func leads(from pinned: VerifierKey, to present: VerifierKey, _ connection: Connection) throws -> Bool {
        if pinned == present { return true }
        // This searches the whole log, but only while an older key is pinned.
        let keys = try keys(after: EntryPage.all(of: .keyChanged, connection), connection)
        return keys.contains(pinned) && keys.last == present
    }

    /// All keys of the log, the first one first, each approved by the one before; none where one is not, or entry 0 is gone.
    ///
    /// - Parameter changes: all entries `key_changed`, newest first.
    func keys(after changes: [(entry: Int64, bytes: [UInt8])], _ connection: Connection) throws -> [VerifierKey] {
        guard let firstKey else { return [] }
        var keys = [firstKey]
        for (entry, bytes) in changes.reversed() {
            guard let key = keys.last, let leaf = try? Leaf(stored: bytes), leaf.event == Event.keyChanged.rawValue,
                let next = try KeyChange.newKey(in: leaf, after: StoredLog.tree(connection, size: entry), oldKey: key)
            else { return [] }
            keys.append(next)
        }
        return keys
    }

    /// Writes entry 0 and brings in earlier runs, within the caller's transaction or alone.
    func write(_ log: StoredLog, _ connection: Connection) throws {
        let key = log.signer.verifierKey
        var entries = [AuditEntry(.genesis(key))]
        let runs = try connection.query("SELECT id FROM run_started ORDER BY id") { $0.integer(0) ?? 0 }
        for run in runs { entries.append(AuditEntry(try imported(run, connection))) }
        if connection.hasOpenTransaction {
            try log.append(entries, to: connection)
        } else {
            try connection.transaction { _ = try log.append(entries, to: connection) }
        }
    }

    /// A run from the time before the audit log: its rows as they are now. Nothing proves them.
    private func imported(_ run: Int64, _ connection: Connection) throws -> AuditEvent {
        var facts: [JSONValue.Member] = []
        for table in [RunTable.started, .finished] {
            facts += try connection.first("SELECT \(table.selection) FROM \(table.name) WHERE id = ?", [.integer(run)]) { table.members($0) } ?? []
        }
        let output = try connection.first("SELECT bytes FROM run_output WHERE id = ?", [.integer(run)]) { $0.blob(0) ?? [] }
        return .runImported(run: run, facts: facts, storedOutput: try output.map { Hex.text(try SHA256.digest($0)) })
    }
}
