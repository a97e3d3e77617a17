import AuditLog
import Encoding
import Glibc
import History
import Linux
import Logging
import RunProtocol

/// Performs one run from the service's side, in the order that keeps the record ahead of the script: run lock, durable start,
/// go, result, durable end. Calls block for as long as the script takes.
package struct RunPerformer: Sendable {
    private static let firstAnswerMilliseconds: Int64 = 30_000
    private static let goodbyeMilliseconds: Int64 = 2000

    private let settings: RunSettings
    private let runner: RunnerConnector
    private let history: HistoryStore
    private let liveness: RunLiveness
    private let logger: Logger
    let cancellation: RunCancellation
    let settler: RunSettler
    let follower: RunFollower

    package init(settings: RunSettings, runner: RunnerConnector, runnerClient: RunnerClient, history: HistoryStore, logger: Logger) {
        self.settings = settings
        self.runner = runner
        self.history = history
        self.logger = logger
        let directory = RunDirectory(settings.runDirectory)
        let terminator = OrphanTerminator(settings, runner: runner)
        liveness = RunLiveness(directory: directory, runnerClient: runnerClient, history: history)
        cancellation = RunCancellation(directory: directory, history: history, terminator: terminator, logger: logger)
        settler = RunSettler(
            script: settings.script, directory: directory, history: history, cancellation: cancellation, logger: logger)
        follower = RunFollower(
            script: settings.script, directory: directory, history: history, liveness: liveness, settler: settler,
            cancellation: cancellation, terminator: terminator, logger: logger)
    }

    /// Runs a script.
    /// - Parameters:
    ///   - script: the path to execute.
    ///   - leave: sent when the caller wants to go without waiting for the end.
    ///   - onStart: called when the start is recorded, with the run's number.
    package func perform(
        _ script: String, for requester: Requester, leave: LeaveSignal, onStart: (Int64) -> Void
    ) -> RunAnswer {
        let supervisor: MessageChannel
        let reply: RunReply
        do {
            supervisor = try runner.connect()
            try supervisor.send(request(script).message)
            reply = try RunReply(try supervisor.receive(milliseconds: Self.firstAnswerMilliseconds))
        } catch {
            logger.error("\(runner) does not answer: \(error); \(runner.fix)")
            return .notStarted(reason: "the runner does not answer")
        }
        switch reply {
        case .busy: return .busy
        case .failed(let reason), .refused(let reason):
            logger.error("\(reason)")
            return .notStarted(reason: "the runner cannot start a script")
        case .unfit(let why, let detail, let uid):
            defer { supervisor.hangUp(milliseconds: Self.goodbyeMilliseconds) }
            return recordFailedStart(start(script, requester, digest: nil, uid: uid), why: why, detail: detail)
        case .ready(let digest, let uid):
            let directory = RunDirectory(settings.runDirectory)
            guard !liveness.isAnyRunAlive() else {
                logger.error(
                    "refused: an earlier run is still going on although the run lock is free; did its script remove \(directory.lockFile) or close its descriptor?"
                )
                return .busy
            }
            // Open now: a service that starts meanwhile may record the run's end first and remove the file.
            let spool = try? OutputSpool.open(directory.preparedOutput)
            return go(supervisor, start(script, requester, digest: digest, uid: uid), spool, leave: leave, onStart: onStart)
        }
    }

    private func request(_ script: String) -> RunRequest {
        RunRequest(
            script: script, workingDirectory: settings.script.workingDirectory, lockPath: settings.script.lockPath,
            runDirectory: settings.runDirectory, timeoutSeconds: settings.script.timeoutSeconds,
            graceSeconds: settings.script.graceSeconds, outputLimit: settings.script.outputLimit,
            environment: settings.script.environment)
    }

    private func start(_ script: String, _ requester: Requester, digest: String?, uid: Int64) -> RunStart {
        var start = RunStart(requester: requester, startedAt: Clock.wallMilliseconds(), scriptPath: script)
        start.scriptSHA256 = digest
        start.scriptUID = uid
        start.isolated = uid != Int64(geteuid())
        start.bootID = BootID.current()
        return start
    }

    private func recordFailedStart(_ start: RunStart, why: Unfitness, detail: String) -> RunAnswer {
        var finish = RunFinish(
            finishedAt: start.startedAt, finishedAtExact: true, outcome: .startFailed, outputTruncated: false, output: [])
        finish.durationMilliseconds = 0
        finish.why = why.rawValue
        finish.outputBytes = 0
        do {
            let run = try history.recordFailedStart(start, finish)
            logger.error("run \(run) was not started: \(why.rawValue): \(detail)")
            return .finished(run: run, finish)
        } catch {
            logger.error("a failed start could not be recorded: \(error)")
            return .notStarted(reason: "the history cannot be written")
        }
    }

    private func go(
        _ supervisor: MessageChannel, _ start: RunStart, _ spool: Descriptor?, leave: LeaveSignal, onStart: (Int64) -> Void
    ) -> RunAnswer {
        let run: Int64
        let checkpoint: SignedCheckpoint
        do {
            (run, checkpoint) = try history.recordStart(start)
        } catch {
            // Without the word it leaves; the next request must not find its run lock still held.
            supervisor.hangUp(milliseconds: Self.goodbyeMilliseconds)
            logger.error("not started, because it could not be recorded: \(error)")
            return .notStarted(reason: "the history cannot be written")
        }
        logger.info("run \(run) started", metadata: ["user": "\(start.requester.user.debugDescription)", "trigger": "\(start.requester.trigger)"])
        // Journald or syslog carries this line off the machine's database: with it a rollback can be seen later.
        logger.notice("checkpoint", metadata: ["note": "\(Base64.standard.encode(checkpoint.note.encoded))"])
        onStart(run)
        do {
            guard let result = try result(supervisor, run, leave) else { return .left(run: run) }
            return .finished(run: run, try settler.record(result, of: run, spool: spool))
        } catch let error as HistoryError {
            return notRecorded(run, error)
        } catch {
            // The supervisor is gone. The script may live on and keeps the run lock as long as it does.
            logger.error("lost the supervisor of run \(run): \(error)")
            return afterLoss(of: run, leave: leave)
        }
    }

    /// - Returns: nil where the caller left first.
    private func result(_ supervisor: MessageChannel, _ run: Int64, _ leave: LeaveSignal) throws -> RunResult? {
        try supervisor.send(Go(run: run).message)
        while true {
            let ready = try Poll.readable([supervisor.descriptor, leave.descriptor], milliseconds: nil)
            if ready.contains(supervisor.descriptor.number) { return try RunResult(try supervisor.receive()) }
            if ready.contains(leave.descriptor.number) { return nil }
        }
    }

    private func afterLoss(of run: Int64, leave: LeaveSignal) -> RunAnswer {
        do {
            guard let finish = try follower.follow(run, leave: leave) else { return .left(run: run) }
            return .finished(run: run, finish)
        } catch {
            return notRecorded(run, error)
        }
    }

    private func notRecorded(_ run: Int64, _ error: any Error) -> RunAnswer {
        logger.critical("run \(run) is over and could not be recorded; the next start tries again: \(error)")
        return .notRecorded(run: run, reason: "the history cannot be written")
    }
}
