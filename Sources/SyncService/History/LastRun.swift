import Linux
import Logging
import RunProtocol
import ServiceLifecycle
import SQLite

/// The newest run of the history, as the headers of `GET /sync/status` tell of it.
struct LastRun: Sendable, Equatable {
    var id: Int64
    var user: String
    var trigger: String
    var outcome: String

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

/// Takes note of runs that other processes record, such as `sync-service run` of cron.
struct LastRunWatch: Service {
    private static let interval = Duration.seconds(1)

    let history: History
    private let worker = Worker(threads: 1)

    init(history: History) { self.history = history }

    func run() async throws {
        let history = history
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.interval)) != nil {
                // A history that cannot be read now is read a second later; readiness tells of it.
                try? await worker.run { try history.refreshLastRun() }
            }
        }
    }
}
