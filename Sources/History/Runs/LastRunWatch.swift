import ServiceLifecycle
import Threads

/// Takes note of runs that other processes record, such as `sync-service run` of cron.
package struct LastRunWatch: Service {
    private static let interval = Duration.seconds(1)

    package let history: HistoryStore
    private let pool = BlockingPool(threads: 1)

    package init(history: HistoryStore) { self.history = history }

    package func run() async throws {
        let history = history
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: Self.interval)) != nil {
                // A history that cannot be read now is read a second later; readiness tells of it.
                try? await pool.run { try history.refreshLastRun() }
            }
        }
    }
}
