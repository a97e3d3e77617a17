import Glibc
import Linux
import RunProtocol

/// One connection of the service, on standard input. It answers any number of questions. A run makes this process the
/// supervisor of that run, and the process ends with the run.
struct ServiceConnection {
    private let service = MessageChannel(.standardInput)
    /// What a service of another user may ask for; nil if the service is of our own user.
    let policy: RequestPolicy?
    private let parent = getppid()

    init(policy: RequestPolicy?) { self.policy = policy }

    /// Returns when the connection ends or a signal comes.
    func serve() throws {
        try Process.becomeSubreaper()
        let signals = try Signals.block([SIGCHLD, SIGTERM, SIGINT, SIGHUP])
        while true {
            let ready = try Poll.readable([service.descriptor, signals.descriptor], milliseconds: nil)
            if ready.contains(signals.descriptor.number), let signal = try signals.next(), signal != SIGCHLD { return }
            guard ready.contains(service.descriptor.number) else { continue }
            do {
                let message = try service.receive()
                if let objection = policy?.objection(to: message) {
                    try refuse(objection)
                    continue
                }
                switch message.kind {
                case RunRequest.kind:
                    return Supervisor(
                        request: try RunRequest(message), service: service, signals: signals, otherUser: policy?.client
                    ).run()
                case EndRunRequest.kind:
                    return try OrphanedRunTermination(request: EndRunRequest(message), service: service, parent: parent).run()
                default: try service.send(answer(to: message))
                }
            } catch let error as MessageError {
                return try refuse("the service \(error)")
            } catch ChannelError.message(let error) {
                return try refuse("the service \(error)")
            }
        }
    }

    private func answer(to message: Message) throws(MessageError) -> Message {
        switch message.kind {
        case RunLockRequest.kind:
            let directory = RunDirectory(try RunLockRequest(message).runDirectory)
            do { return try directory.runLock().message } catch { return RunReply.failed("\(error)").message }
        case LockFileRequest.kind: return LockFileReply(file: LockFile.find(try LockFileRequest(message).lockPath)).message
        case LogTailRequest.kind: return ScriptLog.tail(try LogTailRequest(message)).message
        case ScriptCheckRequest.kind:
            let script = try ScriptCheckRequest(message).script
            do {
                return RunReply.ready(scriptSHA256: try Script.check(script).digest, scriptUID: Int64(geteuid())).message
            } catch {
                return RunReply.unfit(error.why, detail: error.detail, scriptUID: Int64(geteuid())).message
            }
        case ScriptProcessRequest.kind:
            let request = try ScriptProcessRequest(message)
            return ScriptProcessSearch.answer(script: request.script, lockPath: request.lockPath).message
        case LockClearRequest.kind: return ScriptLock.clear(try LockClearRequest(message)).message
        case RunProcessesRequest.kind:
            let request = try RunProcessesRequest(message)
            let orphaned = OrphanedRun(directory: RunDirectory(request.runDirectory), run: request.run, parent: parent)
            return RunProcesses(pids: orphaned.processes().map(Int64.init)).message
        case PathRequest.kind: return PathFacts.inspect(try PathRequest(message).path).message
        default: throw .unexpected(kind: message.kind)
        }
    }

    /// The reply carries our protocol version, so that a service of another version can name it.
    private func refuse(_ objection: String) throws {
        complain(objection)
        try service.send(RunReply.refused("sync-runner refused: \(objection)").message)
    }
}
