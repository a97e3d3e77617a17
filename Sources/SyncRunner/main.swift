// sync-runner: the only program here that executes anything. It has no network, no secrets and no database.
//
// The service gives it a connected socket as standard input. A connection answers any number of inquiries; a run makes
// this process the supervisor of that run, and its end is the end of this process.

import Glibc
import Linux
import RunProtocol

if CommandLine.arguments.contains("--version") {
    print("sync-runner, run protocol \(protocolVersion)")
    exit(0)
}

do {
    // A service that is gone is an error of write(2), not a reason to die.
    signal(SIGPIPE, SIG_IGN)
    umask(0o027)
    try Process.forbidCoreFiles()
    // The service raised its own for its connections; the script gets the usual one.
    Process.lowerDescriptorLimit()
    try Process.giveUpNewPrivileges()
    try Process.becomeSubreaper()
    let signals = try Signals([SIGCHLD, SIGTERM, SIGINT, SIGHUP])
    try serve(MessageChannel(.standardInput), signals)
} catch ChannelError.closed {
    exit(0)
} catch {
    complain("\(error)")
    exit(1)
}

func serve(_ service: MessageChannel, _ signals: Signals) throws {
    while true {
        let ready = try Poll.readable([service.descriptor, signals.descriptor], milliseconds: nil)
        if ready.contains(signals.descriptor.number), let signal = try signals.next(), signal != SIGCHLD { return }
        guard ready.contains(service.descriptor.number) else { continue }
        do {
            let message = try service.receive()
            switch message.kind {
            case LockInfoRequest.kind: try service.send(lockInfo(LockInfoRequest(message)))
            case LogTailRequest.kind: try service.send(LogTail(answering: LogTailRequest(message)).message)
            case ScriptCheckRequest.kind: try service.send(checkScript(ScriptCheckRequest(message)).message)
            case ScriptProcessRequest.kind: try service.send(ScriptProcess(of: ScriptProcessRequest(message).script).message)
            case LockClearRequest.kind: try service.send(LockClearReply(answering: LockClearRequest(message)).message)
            case RunRequest.kind:
                return Supervisor(request: try RunRequest(message), service: service, signals: signals).run()
            default: throw MessageError.unexpected(kind: message.kind)
            }
        } catch let error as MessageError {
            return try refuse(error, service)
        } catch ChannelError.message(let error) {
            return try refuse(error, service)
        }
    }
}

/// The answer carries our version, so that a service of another one can say so.
func refuse(_ error: MessageError, _ service: MessageChannel) throws {
    complain("the service \(error)")
    try service.send(RunReply.failed("sync-runner refused: the service \(error)").message)
}

func checkScript(_ request: ScriptCheckRequest) -> RunReply {
    do {
        let script = try Script.check(request.script)
        return .ready(scriptSHA256: script.digest, scriptUID: Int64(geteuid()))
    } catch {
        return .unfit(error.why, detail: error.detail, scriptUID: Int64(geteuid()))
    }
}

func lockInfo(_ request: LockInfoRequest) -> Message {
    do {
        let lease = try Lease.probe(RunDirectory(request.runDirectory))
        return LockInfo(leaseHeld: lease.held, holder: lease.holder, lockFile: LockFile(at: request.lockPath)).message
    } catch {
        return RunReply.failed("\(error)").message
    }
}
