import ServiceLifecycle
import Threads

/// Takes note of runs that other processes record, such as `sync-service run` of cron, and of the start times of all runs, so
/// that no search has to read all of them first.
package struct LastRunWatch: Service {
    private static let interval = Duration.seconds(1)

    private let history: HistoryStore
    private let pool: BlockingPool

    /// - Parameter pool: for one short read a second. The first one takes longer, in short steps.
    package init(history: HistoryStore, pool: BlockingPool) {
        self.history = history
        self.pool = pool
    }

    package func run() async throws {
        let (history, pool) = (history, pool)
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.interval)) != nil {
                // If the history cannot be read now, the next second tries again; readiness reports it.
                try? await pool.run {
                    try history.refreshLastRun()
                    try history.refreshStartTimes()
                }
            }
        }
    }
}
