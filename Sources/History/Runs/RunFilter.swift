import RunProtocol
import SQLite

/// Which runs to list, newest first. nil in a property means any.
package struct RunFilter: Sendable {
    /// How many runs a page may have.
    package static let limits = 1...200

    /// The most runs of one page.
    package var limit = 50
    /// Only runs with a smaller number. The last page's `next` goes here.
    package var before: Int64?
    package var user: String?
    package var outcome: Outcome?
    package var trigger: Requester.Trigger?
    /// Only runs that started at this time or later; milliseconds since 1970 UTC.
    package var since: Int64?
    /// Only runs that started before this time; milliseconds since 1970 UTC.
    package var until: Int64?

    /// All runs. Set the properties to narrow the list.
    package init(limit: Int = 50) { self.limit = limit }
}

extension RunFilter {
    /// Where a search finds the next runs to examine: all of them, or the rows of one value in an index.
    enum Source: CaseIterable { case all, user, outcome, trigger }

    /// The sources that this filter can use.
    var sources: [Source] {
        var sources: [Source] = []
        if user != nil { sources.append(.user) }
        if outcome != nil && outcome != .running { sources.append(.outcome) }
        if trigger != nil { sources.append(.trigger) }
        return sources.isEmpty ? [.all] : sources
    }

    /// Counts the runs of a source, at most the last value, from the greatest number down, and gives the smallest number.
    /// - Returns: the SQL, and the values before those of the range and the number of rows.
    func count(in source: Source) -> (sql: String, values: [Value]) {
        let table = source == .outcome ? "run_finished" : "run_started"
        let condition = condition(of: source)
        let sql = """
            SELECT count(*), min(id) FROM (SELECT id FROM \(table) WHERE \(condition.map { "\($0.sql) AND " } ?? "")id BETWEEN ? AND ? \
            ORDER BY id DESC LIMIT ?)
            """
        return (sql, condition.map { [$0.value] } ?? [])
    }

    /// Lists the runs of this filter in a range of numbers.
    /// - Returns: the SQL, and the values between those of the range and the number of rows.
    func page(from source: Source) -> (sql: String, values: [Value]) {
        // The view would hide the outcome's index. A finished run has both rows.
        let table = source == .outcome ? "run_finished CROSS JOIN run_started USING (id)" : "runs"
        var sql = "SELECT \(RunTable.runs.selection) FROM \(table) WHERE id BETWEEN ? AND ?"
        var values: [Value] = []
        for other in Source.allCases {
            guard let condition = condition(of: other) else { continue }
            // The plus keeps SQLite from another index than the source's.
            sql += " AND \(other == source ? "" : "+")\(condition.sql)"
            values.append(condition.value)
        }
        // All times have one form, so the order of the texts is the order of the times.
        for (condition, time) in [("started_at >= ?", since), ("started_at < ?", until)] {
            guard let time else { continue }
            sql += " AND \(condition)"
            values.append(.text(Timestamp.text(time)))
        }
        return (sql + " ORDER BY id DESC LIMIT ?", values)
    }

    private func condition(of source: Source) -> (sql: String, value: Value)? {
        switch source {
        case .all: nil
        case .user: user.map { ("user = ?", .text($0)) }
        case .outcome: outcome.map { ("outcome = ?", .text($0.rawValue)) }
        case .trigger: trigger.map { ("\"trigger\" = ?", .text($0.rawValue)) }
        }
    }
}
