import Glibc
import Linux
import RunProtocol

/// One run, from the run lock to the stored result. It outlives the service: once the script is started, a lost connection
/// changes nothing.
struct Supervisor {
    let request: RunRequest
    let service: MessageChannel
    let signals: Signals
    /// The user of the service, if it is not ours.
    let otherUser: UInt32?
    private let directory: RunDirectory

    init(request: RunRequest, service: MessageChannel, signals: Signals, otherUser: UInt32?) {
        self.request = request
        self.service = service
        self.signals = signals
        self.otherUser = otherUser
        directory = RunDirectory(request.runDirectory)
    }

    /// Returns when the run is over or was not started.
    func run() {
        do {
            switch try RunLock.take(in: directory) {
            case .held(let holder): try service.send(RunReply.busy(holder).message)
            case .taken(let runLock): try hold(runLock)
            }
        } catch ChannelError.closed {
            // The connection is gone. The service settles what it recorded by itself.
        } catch {
            try? service.send(RunReply.failed("\(error)").message)
        }
    }

    /// Checks, waits for `go`, executes. The run lock ends with this process, unless it is released before.
    private func hold(_ runLock: RunLock) throws {
        runLock.describe(run: nil, since: Clock.wallMilliseconds())
        let script: Script
        do {
            script = try Script.check(request.script)
        } catch {
            try service.send(RunReply.unfit(error.why, detail: error.detail, scriptUID: Int64(geteuid())).message)
            // The service records the failed start while the run lock is held, then hangs up.
            _ = try? nextMessage()
            return
        }
        let reservation = try Reservation.make(in: directory, outputLimit: request.outputLimit)
        let run: Int64
        let login: Account.Login
        do {
            try service.send(RunReply.ready(scriptSHA256: script.digest, scriptUID: Int64(geteuid())).message)
            // Looked up while the service records the start. A directory server that is slow then delays no script after `go`.
            login = .own
            // Without `go` nothing is executed. If the connection ends here, nothing was recorded.
            run = try waitForGo().run
        } catch {
            reservation.abandon()
            throw error
        }
        runLock.describe(run: run, since: Clock.wallMilliseconds())

        var result = execute(script, as: login, runLock: runLock, run: run, reservation)
        result.scriptChanged = script.hasChanged()
        result.lockFileSeen = result.lockFileSeen || lockFileIsThere()
        // The result is stored before the run lock is freed, so a free run lock implies a stored result.
        do { try reservation.store(result.message, of: run) } catch {
            // The service still gets it over the connection, if it is there.
            complain("the result of run \(run) could not be stored: \(error)")
        }
        try? Files.removeIfPresent(directory.socket(of: run))
        runLock.release()
        try service.send(result.message)
    }

    private func waitForGo() throws -> Go {
        do { return try Go(try nextMessage()) } catch let error as MessageError { throw ChannelError.message(error) }
    }

    /// The next message of the service. On SIGTERM the supervisor leaves, because nothing is started yet.
    private func nextMessage() throws -> Message {
        while true {
            let ready = try Poll.readable([service.descriptor, signals.descriptor], milliseconds: nil)
            if ready.contains(signals.descriptor.number), let signal = try signals.next(), signal != SIGCHLD {
                throw ChannelError.closed
            }
            if ready.contains(service.descriptor.number) { return try service.receive() }
        }
    }

    private func execute(
        _ script: Script, as login: Account.Login, runLock: RunLock, run: Int64, _ reservation: Reservation
    ) -> RunResult {
        let started = Clock.monotonicMilliseconds()
        let lockFileSeen = lockFileIsThere()
        var output = Output(reservation.spool)
        var end = Execution.End()
        do {
            // If a foreign file blocks the names of this run, the script does not start, and the run is still recorded.
            try reservation.assign(to: run)
            // The folder admits only us and the service's group.
            let cancels = try LocalSocket.listen(directory.socket(of: run), mode: 0o660)
            var execution = try Execution.start(
                script: script.path, directory: request.workingDirectory ?? Files.folder(of: script.path),
                environment: ScriptEnvironment.entries(
                    run: run, graceSeconds: request.graceSeconds, added: request.environment, login: login),
                runLock: runLock.descriptor,
                timeLimit: request.timeoutSeconds * 1000, grace: request.graceSeconds * 1000, otherUser: otherUser)
            end = execution.follow(signals: signals, service: service, cancels: cancels, output: &output)
        } catch {
            end.startError = "\(error)"
        }
        let (total, digest, spoolError) = output.finish()
        return RunResult(
            startError: end.startError, stop: end.stop, exitCode: end.exitCode, signal: end.signal,
            lockFileSeen: lockFileSeen, scriptChanged: false, outputBytes: total, outputSHA256: digest,
            spoolError: spoolError, finishedAt: Clock.wallMilliseconds(),
            durationMilliseconds: Clock.monotonicMilliseconds() - started)
    }

    private func lockFileIsThere() -> Bool {
        (try? Files.facts(request.lockPath, followLink: false)) != nil
    }
}
