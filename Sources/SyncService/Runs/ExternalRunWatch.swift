import Linux
import Logging
import RunProtocol
import ServiceLifecycle

/// Notes when the script's lock file comes and goes without a run of ours: somebody, mostly cron, ran the script past
/// this service, and its record says nothing of it.
struct ExternalRunWatch: Service {
    private static let interval = Duration.seconds(5)

    let inquirer: Inquirer
    let logger: Logger
    private let worker = Worker(threads: 1)

    init(inquirer: Inquirer, logger: Logger) {
        self.inquirer = inquirer
        self.logger = logger
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var seen: LockFile?
            while !Task.isCancelled {
                // What cannot be asked now is asked again soon; the status tells a client about a runner that fails.
                if let now = try? await look() { seen = note(now, before: seen) }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }

    private func look() async throws -> LockInfo {
        let inquirer = inquirer
        return try await worker.run { try inquirer.lockInfo() }
    }

    /// - Returns: the lock file of an external run that goes on.
    private func note(_ now: LockInfo, before: LockFile?) -> LockFile? {
        let present = now.leaseHeld ? nil : now.lockFile
        if let present, present != before {
            logger.notice(
                "the script runs past this service, or left its lock file behind: since \(Timestamp.text(present.modified)), user \(present.owner)")
        }
        if before != nil && present == nil && !now.leaseHeld { logger.notice("the script's lock file is gone again") }
        // While the lease is held the file may be that of our own run; what was seen before stays in mind.
        return now.leaseHeld ? before : present
    }
}
