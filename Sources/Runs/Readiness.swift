import History
import Linux
import RunProtocol

/// Whether a run could start now and be recorded. It looks; ``ReadinessFacts`` decides.
package struct Readiness: Sendable {
    package enum Reason: String, Sendable {
        /// The database failed to write; it is not trusted again until a restart.
        case notRecording = "not_recording"
        /// The audit log was tampered with or is not the one that is pinned.
        case historyDamaged = "history_damaged"
        /// It does not extend the checkpoints in AUDIT_CHECKPOINT_FILE.
        case historyRolledBack = "history_rolled_back"
        /// Or the file was replaced by another one.
        case historyUnreadable = "history_unreadable"
        case diskReserve = "disk_reserve"
        /// The runner does not answer, or the disk of the script hangs.
        case runner
        case scriptNotSet = "script_not_set"
        /// A run would be recorded as start_failed.
        case scriptUnfit = "script_unfit"
        case runDirectory = "run_directory"
        /// The disk is mounted read-only, or the folder's owner or mode was changed.
        case notWritable = "not_writable"
        case shuttingDown = "shutting_down"
        /// The end of the last run waits to be recorded, and no other begins before it is.
        case lastRunUnrecorded = "last_run_unrecorded"
    }

    private let history: HistoryStore
    private let runnerClient: RunnerClient
    private let settings: RunSettings

    package init(history: HistoryStore, runnerClient: RunnerClient, settings: RunSettings) {
        self.history = history
        self.runnerClient = runnerClient
        self.settings = settings
    }

    /// Why not; empty when all is well. Blocks. What it costs does not depend on how long the history is, and it touches
    /// neither the script's lock file nor its log.
    package func reasons() -> [Reason] { look().reasons }

    private func look() -> ReadinessFacts {
        let lock = try? runnerClient.runLock()
        let (state, run) = (settings.stateDirectory, settings.runDirectory)
        return ReadinessFacts(
            isLatched: history.isLatched, isDamaged: history.knownDamage != nil, isRolledBack: history.isRolledBack,
            isHistoryReadable: history.isInPlace && (try? history.unfinishedRuns()) != nil,
            isRunLockUsable: lock != nil && mayLock() && (try? Files.facts(run, followLink: false))?.kind == .directory,
            isRunning: lock?.held ?? false,
            isReserveHeld: (try? history.holdReserve()) != nil,
            stateDisk: disk(of: state, followLink: false), runDisk: disk(of: run, followLink: true),
            outputLimit: settings.script.outputLimit,
            areFoldersWritable: isWritable(state) && isWritable(run),
            script: script())
    }

    /// Whether the run lock is a file that a runner can lock; it makes a missing one.
    private func mayLock() -> Bool {
        guard let facts = try? Files.facts(RunDirectory(settings.runDirectory).lockFile, followLink: false) else { return true }
        return facts.kind == .regular
    }

    private func disk(of folder: String, followLink: Bool) -> ReadinessFacts.Disk {
        ReadinessFacts.Disk(device: try? Files.facts(folder, followLink: followLink).device, freeBytes: (try? Files.freeBytes(folder)) ?? 0)
    }

    /// A full disk refuses as well, and is a reason of its own.
    private func isWritable(_ folder: String) -> Bool {
        do { try Files.tryToCreate(in: folder) } catch { return error.isNoSpace }
        return true
    }

    private func script() -> ReadinessFacts.Script {
        guard let path = settings.script.path else { return .notSet }
        guard let reply = try? runnerClient.scriptFitness(path) else { return .unknown }
        guard case .ready = reply else { return .unfit }
        if let folder = settings.script.workingDirectory, let seen = try? runnerClient.facts(folder), seen.identity == nil { return .unfit }
        return .fit
    }
}
