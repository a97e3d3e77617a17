import AuditLog
import SQLite

/// A page of entries, newest first, found in steps of a bounded number of rows each.
struct EntryPage: Sendable {
    let entries: [(entry: Int64, bytes: [UInt8])]
    /// How many rows were examined.
    let examined: Int64
    /// The next step searches before this entry; nil at the end.
    let next: Int64?

    /// One step of a search. Where an index has the kind, these are all of the kind, else those among the next
    /// ``HistoryReader/rowsPerRead`` entries.
    ///
    /// - Parameters:
    ///   - event: nil for entries of every kind.
    ///   - before: only entries with a smaller number.
    ///   - limit: the largest number of entries to find.
    init(of event: Event?, before: Int64, limit: Int, _ connection: Connection) throws(SQLiteError) {
        let isExact = event.map(HistoryIndexes.has) ?? true
        let end = isExact ? before : min(before, try StoredLog.entryCount(connection))
        let first = isExact ? 0 : max(0, end - HistoryReader.rowsPerRead)
        let rows = min(Int64(limit), HistoryReader.rowsPerRead)
        let (sql, values) = Self.search(event)
        var found: [(entry: Int64, bytes: [UInt8])] = []
        try connection.forEach(sql, values + [.integer(first), .integer(end), .integer(rows)]) { row throws(SQLiteError) in
            found.append((row.integer(0) ?? 0, row.blob(1) ?? []))
        }
        entries = found
        let last = Int64(found.count) == rows ? found.last?.entry : nil
        examined = isExact ? Int64(found.count) : end - (last ?? first)
        next = last ?? (first > 0 ? first : nil)
    }

    /// - Returns: the SQL, and the values before those of the range and the limit.
    static func search(_ event: Event?) -> (sql: String, values: [Value]) {
        let condition = event.map(HistoryIndexes.isOf)
        let sql = """
            SELECT entry, bytes FROM leaf WHERE \(condition.map { "\($0.sql) AND " } ?? "")entry >= ? AND entry < ? \
            ORDER BY entry DESC LIMIT ?
            """
        return (sql, condition.map { [$0.value] } ?? [])
    }
}

extension EntryPage {
    /// All entries of a kind, newest first, for connections that no others share. Others may write between two steps.
    static func all(of event: Event, _ connection: Connection) throws(SQLiteError) -> [(entry: Int64, bytes: [UInt8])] {
        var found: [(entry: Int64, bytes: [UInt8])] = []
        var before: Int64? = .max
        while let from = before {
            let page = try EntryPage(of: event, before: from, limit: .max, connection)
            found += page.entries
            before = page.next
        }
        return found
    }
}

extension HistoryReader {
    /// All keys of the log, the first one first; see ``Genesis/keys(after:_:)``.
    func logKeys() throws(HistoryError) -> [VerifierKey] {
        let beginning = try read { try Genesis($0) }
        let changes = try entries(of: .keyChanged, before: .max, limit: .max, examining: .max).entries
        return try read { try beginning.keys(after: changes, $0) }
    }

    /// Entries of one kind, or of every kind, newest first. Searches only what a verification covers: the entries under the newest
    /// checkpoint.
    /// - Parameter most: how many rows to examine.
    /// - Returns: the entries, and where to search on; nil at the end. There may be more although fewer than `limit` were
    ///   found: then as many rows as allowed were examined.
    package func entries(
        of event: Event?, before: Int64, limit: Int, examining most: Int64 = RunPage.mostExamined
    ) throws(HistoryError) -> (entries: [(entry: Int64, bytes: [UInt8])], next: Int64?) {
        var found: [(entry: Int64, bytes: [UInt8])] = []
        var next: Int64? = min(before, try read { try StoredLog.signedSize($0) })
        var rest = most
        try readInSteps { connection in
            guard let from = next else { return false }
            let page = try EntryPage(of: event, before: from, limit: limit - found.count, connection)
            found += page.entries
            next = page.next
            rest -= page.examined
            return next != nil && found.count < limit && rest > 0
        }
        return (found, next)
    }
}
