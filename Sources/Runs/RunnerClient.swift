import Linux
import RunProtocol
import Synchronization

/// Asks the script's side of the machine. Calls block.
///
/// The run lock is looked at directly. Everything else lies on disks that may hang, so each is asked for through a
/// ``CircuitBreaker`` of its own: a log that hangs holds up neither the lock file nor the script.
package final class RunnerClient: Sendable {
    private let lockFilePath: CircuitBreaker
    private let logPath: CircuitBreaker
    private let scriptPath: CircuitBreaker
    /// The search looks at the files of many processes, on whatever disks they are.
    private let processes: CircuitBreaker
    private let remains: CircuitBreaker
    private let script: ScriptSettings
    private let stateDirectory: String
    private let runDirectory: RunDirectory
    /// Files that the log endpoint never shows.
    private let hidden: Mutex<Set<String>>

    package init(_ settings: RunSettings, runner: RunnerConnector) {
        lockFilePath = CircuitBreaker(about: "the script's lock file", connect: runner.connect)
        logPath = CircuitBreaker(about: "the script's log", connect: runner.connect)
        scriptPath = CircuitBreaker(about: "the script", connect: runner.connect)
        remains = CircuitBreaker(about: "the search for processes of a run", connect: runner.connect)
        processes = CircuitBreaker(about: "the search for processes of the script", connect: runner.connect)
        script = settings.script
        stateDirectory = settings.stateDirectory
        runDirectory = RunDirectory(settings.runDirectory)
        hidden = Mutex(Set(settings.secretFiles))
    }

    /// Hides these files as well. Those hidden before stay so: what is no longer a setting may still hold a secret.
    package func hide(_ files: [String]) {
        hidden.withLock { $0.formUnion(files) }
    }

    /// Whether the runner can be reached, is of this release, and serves this run directory and lock file.
    /// - Throws: ``RunnerRefusal`` or ``ChannelError`` where not. A lock file that hangs is no reason: ``PathHangs`` is not thrown.
    package func requireRunner() throws {
        _ = try RunLockState(scriptPath.ask(RunLockRequest(runDirectory: runDirectory.path).message))
        do { _ = try lockFile() } catch is PathHangs {}
    }

    /// The run lock as it is now, without the help of a runner.
    package func runLock() throws -> RunLockState { try runDirectory.runLock() }

    /// The script's own lock file; nil where there is none.
    package func lockFile() throws -> LockFile? { try LockFileReply(lockFilePath.ask(LockFileRequest(lockPath: script.lockPath).message)).file }

    /// Whether a sync runs: somebody holds the run lock, or the script's lock file is there.
    /// - Throws: ``PathHangs`` where the run lock is free and nobody can tell about the lock file.
    package func isRunning() throws -> Bool {
        if try runLock().held { return true }
        return try lockFile() != nil
    }

    /// The last lines of the script's log.
    package func logTail() throws -> LogTail {
        // Looked up anew each time: a secret that was rotated is another file now.
        let forbidden =
            hidden.withLock { $0 }.compactMap { try? Files.facts($0, followLink: true) }
            + ((try? Files.names(in: stateDirectory)) ?? []).compactMap { try? Files.facts("\(stateDirectory)/\($0)", followLink: true) }
        let request = LogTailRequest(
            logPath: script.logPath, logDirectory: script.logDirectory, stateDirectory: stateDirectory,
            forbidden: forbidden.map { FileIdentity(device: $0.device, inode: $0.inode) })
        return try LogTail(logPath.ask(request.message))
    }

    /// What the runner would answer to a request to run, without taking the run lock.
    package func scriptFitness(_ path: String) throws -> RunReply { try RunReply(scriptPath.ask(ScriptCheckRequest(script: path).message)) }

    /// What the runner sees at a path.
    package func facts(_ path: String) throws -> PathFacts { try PathFacts(scriptPath.ask(PathRequest(path: path).message)) }

    /// Whether a process of the script lives. Without a script set there is none.
    package func scriptProcess() throws -> ScriptProcess {
        guard let path = script.path else { return .no }
        return try ScriptProcess(processes.ask(ScriptProcessRequest(script: path, lockPath: script.lockPath).message))
    }

    /// Which processes hold the run lock, and what a dead supervisor of this run left.
    package func runProcesses(_ run: Int64?) throws -> RunProcesses {
        try RunProcesses(remains.ask(RunProcessesRequest(runDirectory: runDirectory.path, run: run).message))
    }

    /// Removes the script's lock file if it is still the one given and stale. Asked once: see ``CircuitBreaker/askOnce(_:)``.
    package func clearLock(_ file: LockFile) throws -> LockClearReply {
        // Without a script nobody knows what to look for among the processes.
        guard let path = script.path else { return .refused("SYNC_SCRIPT_PATH is not set") }
        return try LockClearReply(
            processes.askOnce(
                LockClearRequest(runDirectory: runDirectory.path, lockPath: script.lockPath, script: path, lockFile: file).message))
    }
}
