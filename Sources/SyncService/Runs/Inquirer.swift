import Linux
import RunProtocol
import Synchronization

/// Asks the script's side of the machine, over one runner that is kept for it. Calls block, one at a time.
final class Inquirer: Sendable {
    /// Far more than an answer takes; a log on a dead network disk must not hold the status up for ever.
    private static let patienceMilliseconds: Int64 = 5000

    private let runner: RunnerAccess
    private let script: ScriptSettings
    private let stateDirectory: String
    private let runDirectory: String
    /// Files that the log endpoint never shows.
    private let hidden: Mutex<Set<String>>
    private let connection = Mutex<MessageChannel?>(nil)

    init(_ settings: Settings, runner: RunnerAccess) {
        self.runner = runner
        script = settings.script
        stateDirectory = settings.stateDirectory
        runDirectory = settings.runDirectory
        hidden = Mutex(Set(settings.secretFiles))
    }

    /// Hides these files as well. Those hidden before stay so: what is no longer a setting may still hold a secret.
    func hide(_ files: [String]) {
        hidden.withLock { $0.formUnion(files) }
    }

    /// Whether the lease is held and the script's lock file there.
    func lockInfo() throws -> LockInfo {
        try LockInfo(ask(LockInfoRequest(runDirectory: runDirectory, lockPath: script.lockPath).message))
    }

    /// The last lines of the script's log.
    func logTail() throws -> LogTail {
        // Looked up anew each time: a secret that was rotated is another file now.
        let forbidden = hidden.withLock { $0 }.compactMap { try? Files.facts($0, followLink: true) }
            + ((try? Files.names(in: stateDirectory)) ?? []).compactMap { try? Files.facts("\(stateDirectory)/\($0)", followLink: true) }
        let request = LogTailRequest(
            logPath: script.logPath, logDirectory: script.logDirectory, stateDirectory: stateDirectory,
            forbidden: forbidden.map { FileIdentity(device: $0.device, inode: $0.inode) })
        return try LogTail(ask(request.message))
    }

    /// Whether the runner would start the script as it is now. Without a script set there is none to start.
    func isScriptFit() throws -> Bool {
        guard let path = script.path else { return false }
        if case .ready = try scriptFitness(path) { return true }
        return false
    }

    /// What the runner would answer to a request to run, without taking the lease.
    func scriptFitness(_ path: String) throws -> RunReply { try RunReply(ask(ScriptCheckRequest(script: path).message)) }

    /// What the runner sees at a path.
    func facts(_ path: String) throws -> PathFacts { try PathFacts(ask(PathRequest(path: path).message)) }

    /// Whether a process of the script lives. Without a script set there is none.
    func scriptProcess() throws -> ScriptProcess {
        guard let path = script.path else { return .no }
        return try ScriptProcess(ask(ScriptProcessRequest(script: path, lockPath: script.lockPath).message))
    }

    /// Which processes hold the run lock, and what a dead supervisor of this run left.
    func runProcesses(_ run: Int64?) throws -> RunProcesses {
        try RunProcesses(ask(RunProcessesRequest(runDirectory: runDirectory, run: run).message))
    }

    /// Removes the script's lock file if it is still the one given and stale.
    func clearLock(_ file: LockFile) throws -> LockClearReply {
        // Without a script nobody knows what to look for among the processes.
        guard let path = script.path else { return .refused("SYNC_SCRIPT_PATH is not set") }
        return try LockClearReply(
            ask(LockClearRequest(runDirectory: runDirectory, lockPath: script.lockPath, script: path, lockFile: file).message))
    }

    private func ask(_ question: Message) throws -> Message {
        try connection.withLock { connection in
            if let kept = connection {
                // The kept runner may have been killed since; that shows only now, and one new runner settles it.
                if let answer = try? Self.exchange(question, kept) { return answer }
                connection = nil
            }
            let fresh = MessageChannel(try runner.connect().descriptor)
            let answer = try Self.exchange(question, fresh)
            connection = fresh
            return answer
        }
    }

    private static func exchange(_ question: Message, _ channel: MessageChannel) throws -> Message {
        try channel.send(question)
        let answer = try channel.receive(milliseconds: patienceMilliseconds)
        if case .failed(let reason)? = try? RunReply(answer) { throw RunnerRefusal(description: reason) }
        return answer
    }
}

/// The runner does not answer a question, and says why.
struct RunnerRefusal: Error, CustomStringConvertible {
    let description: String
}
