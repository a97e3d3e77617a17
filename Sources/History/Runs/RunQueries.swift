import RunProtocol
import SQLite

/// Which runs to list, newest first.
package struct RunFilter: Sendable {
    package var limit = 50
    /// Only runs with a smaller number: the place where the last page ended.
    package var before: Int64?
    package var user: String?
    package var outcome: Outcome?
    package var trigger: Requester.Trigger?
    /// Start times, milliseconds since 1970 UTC: from, and before.
    package var since: Int64?
    package var until: Int64?

    package init(
        limit: Int = 50, before: Int64? = nil, user: String? = nil, outcome: Outcome? = nil, trigger: Requester.Trigger? = nil,
        since: Int64? = nil, until: Int64? = nil
    ) {
        self.limit = limit
        self.before = before
        self.user = user
        self.outcome = outcome
        self.trigger = trigger
        self.since = since
        self.until = until
    }
    package static let limits = 1...200
}

extension HistoryReader {
    /// One page of runs.
    /// - Returns: the runs, and where the next page begins, nil at the end.
    package func runs(_ filter: RunFilter) throws(HistoryError) -> (runs: [RunRecord], next: Int64?) {
        var conditions: [String] = []
        var values: [Value] = []
        func add(_ condition: String, _ value: Value?) {
            guard let value else { return }
            conditions.append("AND " + condition)
            values.append(value)
        }
        add("user = ?", filter.user.map(Value.text))
        add("outcome = ?", filter.outcome.map { .text($0.rawValue) })
        add("\"trigger\" = ?", filter.trigger.map { .text($0.rawValue) })
        // All times are written in one form, so that the order of the texts is the order of the times.
        add("started_at >= ?", filter.since.map { .text(Timestamp.text($0)) })
        add("started_at < ?", filter.until.map { .text(Timestamp.text($0)) })
        let sql = """
            SELECT \(RunTable.runs.selection) FROM runs WHERE id BETWEEN ? AND ? \(conditions.joined(separator: " ")) ORDER BY id DESC LIMIT ?
            """
        // One more than asked for tells whether there is a next page.
        let wanted = filter.limit + 1
        var found: [RunRecord] = []
        var last = filter.before.map { $0 - 1 } ?? .max
        while found.count < wanted {
            let missing = wanted - found.count
            let piece = try shortRead { connection -> (first: Int64, runs: [RunRecord])? in
                guard let first = try Self.first(of: Self.rowsPerRead, upTo: last, user: filter.user, connection) else { return nil }
                let range: [Value] = [.integer(first), .integer(last)]
                return (first, try connection.query(sql, range + values + [.integer(Int64(missing))]) { RunRecord($0) })
            }
            guard let piece else { break }
            found += piece.runs
            last = piece.first - 1
        }
        let page = Array(found.prefix(filter.limit))
        return (page, found.count > filter.limit ? page.last?.id : nil)
    }

    /// The smallest number among so many runs, counted down from `last`; nil where there are none. Of one user the index knows.
    private static func first(of count: Int64, upTo last: Int64, user: String?, _ connection: Connection) throws(SQLiteError) -> Int64? {
        let condition = user == nil ? "" : "user = ? AND "
        return try connection.first(
            "SELECT min(id) FROM (SELECT id FROM run_started WHERE \(condition)id > 0 AND id <= ? ORDER BY id DESC LIMIT ?)",
            (user.map { [.text($0)] } ?? []) + [.integer(last), .integer(count)]
        ) { $0.integer(0) } ?? nil
    }

    /// - Returns: nil where there is no such run.
    package func run(_ id: Int64) throws(HistoryError) -> RunRecord? {
        try read { connection in
            try connection.first("SELECT \(RunTable.runs.selection) FROM runs WHERE id = ?", [.integer(id)]) { RunRecord($0) }
        }
    }

    /// The newest run that has really run and is over, and when, in milliseconds since 1970 UTC; nil where there is none.
    package func lastStart() throws(HistoryError) -> (run: Int64, at: Int64)? {
        let found = try read { connection in
            try connection.first(
                "SELECT id, started_at FROM runs WHERE outcome NOT IN ('start_failed', 'already_running', 'running') ORDER BY id DESC LIMIT 1"
            ) { (run: $0.integer(0), at: $0.text(1).flatMap(Timestamp.milliseconds(parsing:))) }
        }
        guard let run = found?.run, let at = found?.at else { return nil }
        return (run, at)
    }

    /// Why a run did not succeed, in the words of the documented answer.
    package func why(_ id: Int64) throws(HistoryError) -> String? {
        try read { connection in
            try connection.first("SELECT why FROM run_finished WHERE id = ?", [.integer(id)]) { $0.text(0) } ?? nil
        }
    }

    /// How many bytes of a run's output are stored; nil where none are.
    package func storedOutputBytes(of id: Int64) throws(HistoryError) -> Int64? {
        try read { connection in
            try connection.first("SELECT length(bytes) FROM run_output WHERE id = ?", [.integer(id)]) { $0.integer(0) } ?? nil
        }
    }

    /// A piece of a run's stored output, fewer bytes only at its end.
    /// - Parameter offset: from 0.
    package func output(of id: Int64, offset: Int64, count: Int64) throws(HistoryError) -> [UInt8] {
        try read { connection in
            let size = try connection.first("SELECT length(bytes) FROM run_output WHERE id = ?", [.integer(id)]) { $0.integer(0) ?? 0 }
            guard let size, offset < size else { return [] }
            var bytes: [UInt8] = []
            try connection.forEachBlobPiece(
                table: "run_output", column: "bytes", rowid: id, offset: Int(offset), count: Int(min(count, size - offset))
            ) { bytes += $0 }
            return bytes
        }
    }
}
