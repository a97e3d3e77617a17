import RunProtocol
import SQLite

/// The newest run of the history, as the headers of `GET /sync/status` tell of it.
package struct LastRun: Sendable, Equatable {
    package var id: Int64
    package var user: String
    package var trigger: String
    package var outcome: String

    /// Whether a later look found this. An end is never taken back.
    func isNewer(than other: LastRun?) -> Bool {
        guard let other else { return true }
        return id > other.id || (id == other.id && other.outcome == Outcome.running.rawValue)
    }

    /// - Returns: nil where there was no run yet. Costs the same however long the history is.
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
