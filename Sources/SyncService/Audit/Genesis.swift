import AuditLog
import JSON
import OpenSSL
import SQLite

/// The beginning of a trail: entry 0, and the runs that were recorded before there was one.
struct Genesis {
    let hasEntries: Bool
    /// The key that entry 0 names.
    private let firstKey: String?

    init(_ connection: Connection) throws {
        let bytes = try connection.first("SELECT bytes FROM leaf ORDER BY entry LIMIT 1") { $0.blob(0) ?? [] }
        hasEntries = bytes != nil
        if case .string(let vkey)? = bytes.flatMap({ try? Leaf(stored: $0) })?.object["vkey"] { firstKey = vkey } else { firstKey = nil }
    }

    /// Why this is not the history that is expected; nil when all fits.
    func problem(pinned: VerifierKey?, signer: AuditLog.Signer) -> String? {
        guard let pinned else { return nil }
        if !hasEntries {
            return "AUDIT_VKEY says that there is a history, and there is none; put the backup back, or accept the gap with sync-service audit resume --reason"
        }
        guard firstKey == pinned.description || signer.verifierKey == pinned else {
            return "the history is not signed by the key in AUDIT_VKEY; put the right history and key back, or correct AUDIT_VKEY"
        }
        return nil
    }

    /// Writes entry 0 and brings in earlier runs, within the caller's transaction or alone.
    func write(_ trail: Trail, _ connection: Connection) throws {
        let key = trail.signer.verifierKey
        var events = [AuditEvent(.genesis, [.init("origin", .string(key.name)), .init("vkey", .string(key.description))])]
        let runs = try connection.query("SELECT id FROM run_started ORDER BY id") { $0.integer(0) ?? 0 }
        for run in runs { events.append(try imported(run, connection)) }
        if connection.hasOpenTransaction {
            try trail.append(events, to: connection)
        } else {
            try connection.transaction { _ = try trail.append(events, to: connection) }
        }
    }

    /// A run of the time before: its rows as they are now, which nobody witnessed.
    private func imported(_ run: Int64, _ connection: Connection) throws -> AuditEvent {
        var members: [JSON.Member] = [.init("run", .integer(run)), .init("witnessed", .bool(false))]
        for table in [RunTable.started, .finished] {
            members += try connection.first("SELECT \(table.selection) FROM \(table.name) WHERE id = ?", [.integer(run)]) { table.members($0) } ?? []
        }
        if let output = try connection.first("SELECT bytes FROM run_output WHERE id = ?", [.integer(run)], { $0.blob(0) ?? [] }) {
            members.append(.init("stored_output_sha256", .string(Machine.hex(try SHA256.digest(output)))))
        }
        return AuditEvent(.runImported, members)
    }
}
