import AuditLog
import SQLite

/// A page of entries, newest first, found in steps of a bounded number of rows each.
struct EntryPage: Sendable {
    var entries: [(entry: Int64, bytes: [UInt8])] = []
    /// The number of the oldest entry that was examined; nil where no entry was left.
    var examined: Int64?

    /// One step of a search: the entries of a kind among the next ``HistoryReader/rowsPerRead`` ones.
    ///
    /// - Parameters:
    ///   - event: nil for entries of every kind.
    ///   - before: only entries with a smaller number.
    ///   - limit: the largest number of entries to find.
    init(of event: Event?, before: Int64, limit: Int, _ connection: Connection) throws(SQLiteError) {
        let isWanted = event == nil ? "1" : "instr(bytes, ?) > 0"
        let rows = event == nil ? min(Int64(limit), HistoryReader.rowsPerRead) : HistoryReader.rowsPerRead
        let mark = event.map { [StoredLog.mark(of: $0)] } ?? []
        // NULL stands for an entry of another kind, which only has to be counted.
        let sql = "SELECT entry, CASE WHEN \(isWanted) THEN bytes END FROM leaf WHERE entry >= 0 AND entry < ? ORDER BY entry DESC LIMIT ?"
        var found: [(entry: Int64, bytes: [UInt8])] = []
        var examined: Int64?
        try connection.forEach(sql, mark + [.integer(before), .integer(rows)]) { row throws(SQLiteError) in
            guard let entry = row.integer(0), found.count < limit else { return }
            examined = entry
            if let bytes = row.blob(1) { found.append((entry, bytes)) }
        }
        (entries, self.examined) = (found, examined)
    }
}

extension EntryPage {
    /// All entries of a kind, newest first, for connections that no others share. Others may write between two steps.
    static func all(of event: Event, _ connection: Connection) throws(SQLiteError) -> [(entry: Int64, bytes: [UInt8])] {
        var found: [(entry: Int64, bytes: [UInt8])] = []
        var before = Int64.max
        while true {
            let page = try EntryPage(of: event, before: before, limit: .max, connection)
            guard let examined = page.examined else { return found }
            found += page.entries
            before = examined
        }
    }
}

extension HistoryReader {
    /// All keys of the log, the first one first; see ``Genesis/keys(after:_:)``. Searches the whole log.
    func logKeys() throws(HistoryError) -> [VerifierKey] {
        let beginning = try read { try Genesis($0) }
        let changes = try entries(of: .keyChanged, before: .max, limit: .max)
        return try read { try beginning.keys(after: changes, $0) }
    }

    /// Entries of one kind, or of every kind, newest first. Searches only what a verification covers: the entries under the newest
    /// checkpoint. May read the whole log.
    package func entries(of event: Event?, before: Int64, limit: Int) throws(HistoryError) -> [(entry: Int64, bytes: [UInt8])] {
        var found: [(entry: Int64, bytes: [UInt8])] = []
        var before = min(before, try read { try StoredLog.signedSize($0) })
        while found.count < limit {
            let missing = limit - found.count
            let from = before
            let page = try shortRead { try EntryPage(of: event, before: from, limit: missing, $0) }
            guard let examined = page.examined else { break }
            found += page.entries
            before = examined
        }
        return found
    }
}
