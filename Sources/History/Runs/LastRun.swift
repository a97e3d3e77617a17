import RunProtocol
import SQLite

/// The newest run of the history, for the headers of `GET /sync/status`.
///
/// Trigger and outcome are texts, because a row that somebody altered may hold any.
package struct LastRun: Sendable, Equatable {
    package var id: Int64
    package var user: String
    package var trigger: String
    package var outcome: String

    init(id: Int64, user: String, trigger: String, outcome: String) {
        (self.id, self.user, self.trigger, self.outcome) = (id, user, trigger, outcome)
    }

    init(id: Int64, _ start: RunStart, _ outcome: Outcome) {
        self.init(id: id, user: start.requester.user, trigger: start.requester.trigger.rawValue, outcome: outcome.rawValue)
    }

    /// Whether this replaces what was known before: a newer run, or the end of the same run. An end is never undone.
    func isNewer(than other: LastRun?) -> Bool {
        guard let other else { return true }
        return id > other.id || (id == other.id && other.outcome == Outcome.running.rawValue)
    }

    /// Costs the same for any length of the history.
    /// - Returns: nil if there was no run yet.
    static func read(_ connection: Connection) throws -> LastRun? {
        try connection.first(
            """
            SELECT s.id, s.user, s."trigger", f.outcome FROM run_started AS s LEFT JOIN run_finished AS f ON f.id = s.id \
            ORDER BY s.id DESC LIMIT 1
            """
        ) { row in
            LastRun(
                id: row.integer(0) ?? 0, user: row.text(1) ?? "", trigger: row.text(2) ?? "",
                outcome: row.text(3) ?? Outcome.running.rawValue)
        }
    }
}
