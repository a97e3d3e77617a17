import AuditLog
import SQLite

/// Finds rows that no entry of the log is about, each with a digest of its content. Looks only at a log at rest, one that
/// still has `size` entries; while the service writes, the rows of its next entries would look like strays.
struct StrayRows {
    private static let pageRows: Int64 = 200

    let reader: HistoryReader
    let size: Int64

    /// How many rows the table has.
    /// - Returns: nil where entries were appended meanwhile.
    func count(_ table: Table) throws -> Int64? {
        try reader.readYielding { connection in
            try isAtRest(connection) ? try connection.first("SELECT count(*) FROM \(table.name)") { $0.integer(0) ?? 0 } ?? 0 : nil
        }
    }

    /// Hands every row that no entry is about to `body`. Reads all of the table, and for each of its rows the entries of its run.
    /// - Returns: false where entries were appended meanwhile. Then not all strays were found.
    func forEach(_ table: Table, _ body: (Damage) -> Void) throws -> Bool {
        var key: (run: Int64, entry: Int64)?
        while true {
            let page = try reader.read { [key] connection -> [Candidate]? in
                guard try isAtRest(connection) else { return nil }
                let (sql, values) = table.page(behind: key, Self.pageRows)
                var rows = try connection.query(sql, values) {
                    Candidate(run: $0.integer(0) ?? 0, entry: $0.integer(1) ?? 0, hash: $0.hash(columns: table.columnCount))
                }
                for index in rows.indices { rows[index].isClaimed = try claims(rows[index], table, connection) }
                return rows
            }
            guard let page else { return false }
            for row in page where !row.isClaimed {
                body(Damage("run \(row.run) has no entry for its row in \(table.rawValue): it was put in past the service", found: row.hash))
            }
            // In a file whose pages were edited, reading on may lead back.
            guard let last = page.last, key.map({ (last.run, last.entry) > $0 }) ?? true else { return true }
            key = (last.run, last.entry)
        }
    }

    /// Entries and hashes with numbers that the log cannot have, and checkpoints over nothing.
    /// - Returns: false where entries were appended meanwhile.
    func beyondTheLog(_ body: (Damage) -> Void) throws -> Bool {
        let lastPosition = Subtree.completed(by: size - 1).last?.position ?? -1
        let found = try reader.read { connection -> [Damage]? in
            guard try isAtRest(connection) else { return nil }
            var list: [Damage] = []
            func add(_ sql: String, _ value: Int64, _ text: (Int64) -> String) throws {
                // One more than a damage list holds. So many cannot be accepted.
                list += try connection.query(sql + " LIMIT 101", [.integer(value)]) { Damage(text($0.integer(0) ?? 0), found: $0.hash(columns: 2)) }
            }
            for (condition, value) in [("< ?", 0), (">= ?", size)] {
                try add("SELECT entry, bytes FROM leaf WHERE entry \(condition)", value) { "entry \($0) is signed by nobody" }
            }
            for (condition, value) in [("< ?", 0), ("> ?", lastPosition)] {
                try add("SELECT position, hash FROM tree_hash WHERE position \(condition)", value) {
                    "hashes are stored over entries that are not there, at position \($0): nothing can be appended"
                }
            }
            for (condition, value) in [("<= ?", 0), ("> ?", size)] {
                try add("SELECT size, note FROM checkpoint WHERE size \(condition)", value) {
                    "a checkpoint is stored under \($0) entries, which the log does not have"
                }
            }
            return list
        }
        found?.forEach(body)
        return found != nil
    }

    private func isAtRest(_ connection: Connection) throws -> Bool {
        // Without a signature over the newest entries the service appends nothing.
        try (StoredLog.head(connection)?.checkpoint.size ?? StoredLog.entryCount(connection)) == size
    }

    private struct Candidate: Sendable {
        let run: Int64
        let entry: Int64
        let hash: Hash
        var isClaimed = false
    }

    /// Whether an entry under the signed root is about this row.
    private func claims(_ row: Candidate, _ table: Table, _ connection: Connection) throws -> Bool {
        switch table {
        case .entries: return try leaf(row.entry, of: row.run, connection) != nil
        case .redactions: return try leaf(row.entry, of: row.run, connection)?.event == Event.outputRedacted.rawValue
        case .started: return try leaves(of: row.run, connection).contains { $0.isStart }
        case .finished: return try leaves(of: row.run, connection).contains { $0.isEnd }
        case .outputs: return try leaves(of: row.run, connection).contains { $0.isEnd && $0.written("stored_output_sha256") != nil }
        }
    }

    private func leaves(of run: Int64, _ connection: Connection) throws -> [Leaf] {
        let entries = try connection.query("SELECT entry FROM run_entry WHERE run = ?", [.integer(run)]) { $0.integer(0) ?? -1 }
        return try entries.compactMap { try leaf($0, of: run, connection) }
    }

    private func leaf(_ entry: Int64, of run: Int64, _ connection: Connection) throws -> Leaf? {
        guard (0..<size).contains(entry) else { return nil }
        let bytes = try connection.first("SELECT bytes FROM leaf WHERE entry = ?", [.integer(entry)]) { $0.blob(0) ?? [] }
        guard let leaf = bytes.flatMap({ try? Leaf(stored: $0) }), leaf.integer("run") == run else { return nil }
        return leaf
    }
}

extension Leaf {
    fileprivate var isStart: Bool { event == Event.runStarted.rawValue || event == Event.runImported.rawValue }
    fileprivate var isEnd: Bool {
        event == Event.runFinished.rawValue || (event == Event.runImported.rawValue && written("outcome") != nil)
    }
}
