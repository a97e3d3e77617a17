import Logging
import ServiceLifecycle
import Threads

/// Verifies the whole history once, while the service already answers. An obstacle, such as a lock, only delays it.
package struct BackgroundVerification: Service {
    private static let pause = Duration.seconds(3)

    private let verification: StartupVerification
    private let pool: BlockingPool

    /// - Parameter pool: a thread of it is busy until the verification is over.
    package init(_ verification: StartupVerification, pool: BlockingPool) {
        self.verification = verification
        self.pool = pool
    }

    package func run() async throws {
        let verification = verification
        await cancelWhenGracefulShutdown {
            var told = ""
            while !Task.isCancelled {
                do {
                    verification.tell(try await pool.run { try verification.verifyAll() })
                    break
                } catch let error as HistoryError where error.isDamage {
                    verification.declare("\(error)")
                    break
                } catch {
                    if "\(error)" != told {
                        verification.logger.error("the history could not be checked, and will be again in a moment: \(error)")
                    }
                    told = "\(error)"
                }
                try? await Task.sleep(for: Self.pause)
            }
            // The service group would take the end of this task for a failure.
            try? await gracefulShutdown()
        }
    }
}
