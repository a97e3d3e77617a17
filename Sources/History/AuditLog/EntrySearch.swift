import AuditLog
import SQLite

/// A page of entries, newest first, found in steps of a bounded number of rows each.
struct EntryPage: Sendable {
    let entries: [(entry: Int64, bytes: [UInt8])]
    /// How many rows were examined.
    let examined: Int64
    /// The next step searches before this entry; nil at the end.
    let next: Int64?

    /// One step of a search: the entries of a kind among the next ``HistoryReader/rowsPerRead`` ones. Where an index has the
    /// kind, these are all of the kind.
    ///
    /// - Parameters:
    ///   - event: nil for entries of every kind.
    ///   - before: only entries with a smaller number.
    ///   - limit: the largest number of entries to find.
    init(of event: Event?, before: Int64, limit: Int, _ connection: Connection) throws(SQLiteError) {
        let search = Self.search(event)
        let rows = search.isExact ? min(Int64(limit), HistoryReader.rowsPerRead) : HistoryReader.rowsPerRead
        var found: [(entry: Int64, bytes: [UInt8])] = []
        var (examined, last) = (Int64(0), Int64?.none)
        try connection.forEach(search.sql, search.values + [.integer(before), .integer(rows)]) { row throws(SQLiteError) in
            guard let entry = row.integer(0), found.count < limit else { return }
            (examined, last) = (examined + 1, entry)
            if let bytes = row.blob(1) { found.append((entry, bytes)) }
        }
        (entries, self.examined) = (found, examined)
        next = examined == rows || found.count == limit ? last : nil
    }

    /// - Returns: the SQL, the values before those of ``init(of:before:limit:_:)``, and whether each row is an entry of the kind.
    static func search(_ event: Event?) -> (sql: String, values: [Value], isExact: Bool) {
        let end = "entry >= 0 AND entry < ? ORDER BY entry DESC LIMIT ?"
        guard let event else { return ("SELECT entry, bytes FROM leaf WHERE \(end)", [], true) }
        let (isOfKind, value) = HistoryIndexes.isOf(event)
        if HistoryIndexes.has(event) { return ("SELECT entry, bytes FROM leaf WHERE \(isOfKind) AND \(end)", [value], true) }
        // NULL stands for an entry of another kind, which only has to be counted.
        return ("SELECT entry, CASE WHEN \(isOfKind) THEN bytes END FROM leaf WHERE \(end)", [value], false)
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
