import History
import Linux
import RunProtocol

/// Whether a run could start now and be recorded.
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

    package let history: HistoryStore
    package let runnerClient: RunnerClient
    package let settings: RunSettings

    package init(history: HistoryStore, runnerClient: RunnerClient, settings: RunSettings) {
        self.history = history
        self.runnerClient = runnerClient
        self.settings = settings
    }

    /// Why not; empty when all is well. Blocks. What it costs does not depend on how long the history is, and it touches
    /// neither the script's lock file nor its log. A run in progress is no reason: it was able to start.
    package func reasons() -> [Reason] {
        var reasons: [Reason] = []
        if history.isLatched { reasons.append(.notRecording) }
        if history.knownDamage != nil { reasons.append(history.isRolledBack ? .historyRolledBack : .historyDamaged) }
        if !history.isInPlace || (try? history.unfinishedRuns()) == nil { reasons.append(.historyUnreadable) }
        let lock = try? runnerClient.runLock()
        if lock == nil || !mayLock() || (try? Files.facts(settings.runDirectory, followLink: false))?.kind != .directory { reasons.append(.runDirectory) }
        if !hasRoom(isRunning: lock?.held ?? false) { reasons.append(.diskReserve) }
        let folders: [String] = [settings.stateDirectory, settings.runDirectory]
        // A full disk refuses as well; it is named above.
        if folders.contains(where: { !Self.isWritable($0) }) { reasons.append(.notWritable) }
        if let reason = scriptReason() { reasons.append(reason) }
        return reasons
    }

    /// Whether a run could be recorded to its end: the reserve for its end is there, beside it room for the start, and in
    /// the run directory what the runner takes before it starts. A run in progress has taken that already.
    private func hasRoom(isRunning: Bool) -> Bool {
        guard (try? history.holdReserve()) != nil else { return false }
        let spool = isRunning ? 0 : RunDirectory.reservedBytes(outputLimit: settings.script.outputLimit)
        let (state, run) = (settings.stateDirectory, settings.runDirectory)
        let areOneDisk = (try? Files.facts(state, followLink: false).device) == (try? Files.facts(run, followLink: true).device)
        let needs = areOneDisk ? [(state, DiskReserve.startBytes + spool)] : [(state, DiskReserve.startBytes), (run, spool)]
        return needs.allSatisfy { folder, bytes in ((try? Files.freeBytes(folder)) ?? 0) >= bytes }
    }

    /// Whether the run lock is a file that a runner can lock; it makes a missing one.
    private func mayLock() -> Bool {
        guard let facts = try? Files.facts(RunDirectory(settings.runDirectory).lockFile, followLink: false) else { return true }
        return facts.kind == .regular
    }

    private static func isWritable(_ folder: String) -> Bool {
        do { try Files.tryToCreate(in: folder) } catch { return error.isNoSpace }
        return true
    }

    private func scriptReason() -> Reason? {
        guard let path = settings.script.path else { return .scriptNotSet }
        guard let reply = try? runnerClient.scriptFitness(path) else { return .runner }
        guard case .ready = reply else { return .scriptUnfit }
        if let folder = settings.script.workingDirectory, let seen = try? runnerClient.facts(folder), seen.identity == nil { return .scriptUnfit }
        return nil
    }
}
