import Linux
import Logging
import ServiceLifecycle
import Synchronization
import Threads

/// Writes events that need not be on the disk before their answer: refusals and reads. It writes them together, about once a
/// second, and counts floods (``FloodWindows``). A kill loses at most what waits.
package final class EventBuffer: Service {
    private static let flushInterval = Duration.seconds(1)

    private let history: HistoryStore
    private let logger: Logger
    private let pool: BlockingPool
    private let waiting = Mutex(WaitingEvents())

    /// - Parameter pool: for writing events.
    package init(history: HistoryStore, pool: BlockingPool, logger: Logger) {
        self.history = history
        self.pool = pool
        self.logger = logger
    }

    /// Takes one event of a client; returns at once.
    package func record(_ event: AuditEvent, by principal: Principal) {
        let entry = WaitingEntry(AuditEntry(event, by: principal), at: Clock.wallMilliseconds())
        waiting.withLock { $0.record(entry, at: Clock.monotonicMilliseconds()) }
    }

    /// Takes an event of the service that could not be written, to try again.
    package func add(_ event: AuditEvent) {
        let entry = WaitingEntry(AuditEntry(event), at: Clock.wallMilliseconds())
        waiting.withLock { $0.add(entry) }
    }

    /// Writes what waits, once a second and at the end.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            // A cancelled task gets no thread to write on, so the last flush is outside.
            while (try? await Task.sleep(for: Self.flushInterval)) != nil { await self.flush(isLast: false) }
        }
        await flush(isLast: true)
    }

    /// An audit log that cannot be written refuses runs, not answers. So what cannot be written waits.
    private func flush(isLast: Bool) async {
        let writing = waiting.withLock { $0.takeEntries(at: Clock.monotonicMilliseconds(), isLast: isLast) }
        guard !writing.isEmpty else { return }
        let history = history
        do { try await pool.run { try history.record(writing.map(\.entry)) } } catch {
            let count = waiting.withLock { waiting in
                waiting.putBack(writing, at: Clock.monotonicMilliseconds())
                return waiting.count
            }
            let what = isLast ? "\(count) events are lost" : "\(writing.count) entries wait"
            logger.error("the history cannot be written, \(what): \(error)")
        }
    }
}
