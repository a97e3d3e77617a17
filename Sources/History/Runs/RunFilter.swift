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

    /// The conditions besides ``before``, each led by AND, and the values for their question marks.
    var conditions: (sql: String, values: [Value]) {
        var sql = ""
        var values: [Value] = []
        func add(_ condition: String, _ value: Value?) {
            guard let value else { return }
            sql += " AND " + condition
            values.append(value)
        }
        add("user = ?", user.map(Value.text))
        add("outcome = ?", outcome.map { .text($0.rawValue) })
        add("\"trigger\" = ?", trigger.map { .text($0.rawValue) })
        // All times have one form, so the order of the texts is the order of the times.
        add("started_at >= ?", since.map { .text(Timestamp.text($0)) })
        add("started_at < ?", until.map { .text(Timestamp.text($0)) })
        return (sql, values)
    }
}
