import AuditLog
import History
import Linux
import Logging
import RunProtocol
import ServiceLifecycle
import Threads

/// Notes when the script's lock file appears and disappears without a run of ours: another program, mostly cron, started the
/// script without this service, and the history holds nothing else about that.
package struct ExternalRunDetector: Service {
    private static let interval = Duration.seconds(5)

    private let runnerClient: RunnerClient
    private let history: HistoryStore
    private let questions: BlockingPool
    private let writing: BlockingPool
    private let logger: Logger

    /// - Parameters:
    ///   - questions: for asking the runner.
    ///   - writing: for recording events.
    package init(runnerClient: RunnerClient, history: HistoryStore, questions: BlockingPool, writing: BlockingPool, logger: Logger) {
        self.runnerClient = runnerClient
        self.history = history
        self.questions = questions
        self.writing = writing
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var seen: LockFile?
            while !Task.isCancelled {
                // A look that fails is repeated soon. The status tells clients about a runner that fails.
                if let now = try? await look() { seen = await note(now.runLock, now.lockFile, before: seen) }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }

    private func look() async throws -> (runLock: RunLockState, lockFile: LockFile?) {
        let runnerClient = runnerClient
        return try await questions.run {
            // If the run lock is held before or after the look at the file, the file may be that of a run of ours.
            let before = try runnerClient.runLock()
            let file = try runnerClient.lockFile()
            return (before.held ? before : try runnerClient.runLock(), file)
        }
    }

    /// - Returns: the lock file of an external run that goes on.
    private func note(_ runLock: RunLockState, _ lockFile: LockFile?, before: LockFile?) async -> LockFile? {
        // While the run lock is held the file may be that of our own run. What was seen before is kept.
        guard !runLock.held else { return before }
        if let lockFile, lockFile != before {
            logger.notice(
                "the script runs past this service, or left its lock file behind: since \(Timestamp.text(lockFile.modified)), user \(Account.name(lockFile.owner))"
            )
            await record(.seen, lockFile)
        }
        if let before, lockFile == nil {
            logger.notice("the script's lock file is gone again")
            await record(.gone, before)
        }
        return lockFile
    }

    private func record(_ change: ExternalRunChange, _ file: LockFile) async {
        let history = history
        do { try await writing.run { try history.record(.externalRunSeen(change, file)) } } catch {
            logger.error("external_run_seen could not be recorded: \(error)")
        }
    }
}
