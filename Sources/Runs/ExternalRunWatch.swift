import AuditLog
import History
import Linux
import Logging
import RunProtocol
import ServiceLifecycle
import Threads

/// Notes when the script's lock file comes and goes without a run of ours: somebody, mostly cron, ran the script past
/// this service, and its record says nothing of it.
package struct ExternalRunWatch: Service {
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
                // What cannot be asked now is asked again soon; the status tells a client about a runner that fails.
                if let now = try? await look() { seen = await note(now.runLock, now.lockFile, before: seen) }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }

    private func look() async throws -> (runLock: RunLockState, lockFile: LockFile?) {
        let runnerClient = runnerClient
        return try await questions.run {
            // Held before or behind the look at the file, the lock says that the file may be that of a run of ours.
            let before = try runnerClient.runLock()
            let file = try runnerClient.lockFile()
            return (before.held ? before : try runnerClient.runLock(), file)
        }
    }

    /// - Returns: the lock file of an external run that goes on.
    private func note(_ runLock: RunLockState, _ lockFile: LockFile?, before: LockFile?) async -> LockFile? {
        // While the run lock is held the file may be that of our own run; what was seen before stays in mind.
        guard !runLock.held else { return before }
        if let lockFile, lockFile != before {
            logger.notice(
                "the script runs past this service, or left its lock file behind: since \(Timestamp.text(lockFile.modified)), user \(Account.name(lockFile.owner))")
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
        do { try await writing.run { try history.record(.externalRunSeen(change, file)) } } catch { logger.error("external_run_seen could not be recorded: \(error)") }
    }
}
