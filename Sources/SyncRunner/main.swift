// sync-runner: the only program here that executes anything. It has no network, no secrets and no database.
//
// The service gives it a connected socket as standard input. A connection answers any number of inquiries; a run makes
// this process the supervisor of that run, and its end is the end of this process.

import Glibc
import Linux
import RunProtocol

do {
    // A service that is gone is an error of write(2), not a reason to die.
    signal(SIGPIPE, SIG_IGN)
    umask(0o027)
    try Process.forbidCoreFiles()
    try Process.forbidTracing()
    // The service raised its own for its connections; the script gets the usual one.
    Process.lowerDescriptorLimit()
    try Process.giveUpNewPrivileges()
    switch Array(CommandLine.arguments.dropFirst()) {
    case []: try serve(for: nil)
    case [Listener.connectionArgument]: try serve(for: Permitted())
    case ["listen"]: try Listener().run()
    case ["--version"]: print("sync-runner, run protocol \(protocolVersion)")
    case ["--help"]:
        print(
            """
            sync-runner executes the sync script for sync-service. It is not called by hand.

              sync-runner          one connection on standard input: how sync-service starts it
              sync-runner listen   serve the socket handed over by systemd, as a user of its own; see sync-runner.service
              sync-runner --version
            """)
    default:
        complain("unknown arguments; see sync-runner --help")
        exit(ExitStatus.usage.rawValue)
    }
} catch ChannelError.closed {
    exit(ExitStatus.fine.rawValue)
} catch {
    complain("\(error)")
    exit((error is SetupError ? ExitStatus.configuration : .wrong).rawValue)
}

/// Answers what comes on standard input until it ends.
/// - Parameter permitted: what a service of another user may ask for; nil where it is our own.
func serve(for permitted: Permitted?) throws {
    let keeper = getppid()
    try Process.becomeSubreaper()
    let signals = try Signals([SIGCHLD, SIGTERM, SIGINT, SIGHUP])
    let service = MessageChannel(.standardInput)
    while true {
        let ready = try Poll.readable([service.descriptor, signals.descriptor], milliseconds: nil)
        if ready.contains(signals.descriptor.number), let signal = try signals.next(), signal != SIGCHLD { return }
        guard ready.contains(service.descriptor.number) else { continue }
        do {
            let message = try service.receive()
            if let objection = permitted?.objection(to: message) {
                try refuse(objection, service)
                continue
            }
            switch message.kind {
            case RunLockRequest.kind: try service.send(runLock(RunLockRequest(message)))
            case LockFileRequest.kind: try service.send(LockFileReply(file: LockFile(at: LockFileRequest(message).lockPath)).message)
            case LogTailRequest.kind: try service.send(LogTail(answering: LogTailRequest(message)).message)
            case ScriptCheckRequest.kind: try service.send(checkScript(ScriptCheckRequest(message)).message)
            case ScriptProcessRequest.kind: try service.send(ScriptProcess(answering: ScriptProcessRequest(message)).message)
            case LockClearRequest.kind: try service.send(LockClearReply(answering: LockClearRequest(message)).message)
            case RunProcessesRequest.kind: try service.send(RunProcesses(answering: RunProcessesRequest(message), keeper: keeper).message)
            case EndRunRequest.kind: return try RunEnding(request: EndRunRequest(message), service: service, keeper: keeper).run()
            case PathRequest.kind: try service.send(PathFacts(answering: PathRequest(message)).message)
            case RunRequest.kind:
                return Supervisor(
                    request: try RunRequest(message), service: service, signals: signals, otherUser: permitted?.client
                ).run()
            default: throw MessageError.unexpected(kind: message.kind)
            }
        } catch let error as MessageError {
            return try refuse("the service \(error)", service)
        } catch ChannelError.message(let error) {
            return try refuse("the service \(error)", service)
        }
    }
}

/// The answer carries our version, so that a service of another one can say so.
func refuse(_ objection: String, _ service: MessageChannel) throws {
    complain(objection)
    try service.send(RunReply.refused("sync-runner refused: \(objection)").message)
}

func checkScript(_ request: ScriptCheckRequest) -> RunReply {
    do {
        let script = try Script.check(request.script)
        return .ready(scriptSHA256: script.digest, scriptUID: Int64(geteuid()))
    } catch {
        return .unfit(error.why, detail: error.detail, scriptUID: Int64(geteuid()))
    }
}

func runLock(_ request: RunLockRequest) -> Message {
    do { return try RunDirectory(request.runDirectory).runLock().message } catch { return RunReply.failed("\(error)").message }
}

/// To the service's log, or the journal of the runner's unit.
func complain(_ text: String) {
    try? Descriptor.standardError.write(Array("sync-runner: \(text)\n".utf8))
}
