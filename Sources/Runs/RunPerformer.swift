import AuditLog
import Diagnostics
import Encoding
import Glibc
import History
import JSON
import Linux
import Logging
import RunProtocol

/// One run from the service's side, in the order that keeps the record ahead of the script: run lock, durable start, go,
/// result, durable end. Calls block for as long as the script takes.
package struct RunPerformer: Sendable {
    package let settings: RunSettings
    package let runner: RunnerConnector
    package let runnerClient: RunnerClient
    package let history: HistoryStore
    package let logger: Logger
    let cancellation: RunCancellation
    private let ender: RunEnder

    package init(settings: RunSettings, runner: RunnerConnector, runnerClient: RunnerClient, history: HistoryStore, logger: Logger) {
        self.settings = settings
        self.runner = runner
        self.runnerClient = runnerClient
        self.history = history
        self.logger = logger
        ender = RunEnder(settings, runner: runner)
        cancellation = RunCancellation(settings: settings, ender: ender, logger: logger)
    }

    private static let goodbyeMilliseconds: Int64 = 2000
    private static let othersTurnMilliseconds: Int64 = 10_000

    private var directory: RunDirectory { RunDirectory(settings.runDirectory) }

    /// - Parameters:
    ///   - script: the path to execute.
    ///   - leave: readable once the caller wants to go without waiting for the end.
    ///   - onStart: called when the start is recorded, with the run's number.
    package func perform(
        _ script: String, for requester: Requester, leave: Descriptor, onStart: (Int64) -> Void
    ) -> RunAnswer {
        let supervisor: MessageChannel
        let reply: RunReply
        do {
            supervisor = try runner.connect()
            try supervisor.send(request(script).message)
            reply = try RunReply(try supervisor.receive(milliseconds: 30_000))
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
            // A script can remove the run lock's file, or close its descriptor and end its supervisor.
            guard !isAnyRunAlive() else {
                logger.error("refused: an earlier run is still going on although the run lock is free; did its script remove \(directory.lockFile) or close its descriptor?")
                return .busy
            }
            // Open now: a service that starts meanwhile may record the run's end first and remove the file.
            let spool = try? OutputSpool.open(directory.preparedOutput)
            return go(supervisor, start(script, requester, digest: digest, uid: uid), spool, leave: leave, onStart: onStart)
        }
    }

    /// Records the end of a run that nobody waits for any more: from its result, or as interrupted where there is none.
    /// To be called when the run lock is free; what is recorded already stays as it is.
    @discardableResult
    func settle(_ run: Int64) throws -> RunFinish {
        recallPromise(run)
        let stored: RunResult?
        do { stored = try directory.readResult(of: run) } catch {
            logger.warning("the result of run \(run) is unreadable, so it counts as interrupted: \(error)")
            stored = nil
        }
        let finish = finish(of: run, stored)
        guard try history.recordFinish(finish, of: run) else { return finish }
        logger.info("run \(run) settled: \(finish.outcome.rawValue)")
        cleanUp(run)
        return finish
    }

    private func isAnyRunAlive() -> Bool {
        let unfinished = (try? history.unfinishedRuns()) ?? []
        // Where the runner cannot tell, nothing may begin.
        return unfinished.contains { isSupervisorAlive($0) || (try? isAnythingLeft(of: $0)) ?? true }
    }

    /// Whether a process of the run lives although its supervisor died: a run that ended in order has left its result.
    private func isAnythingLeft(of run: Int64) throws -> Bool {
        if (try? Files.facts(directory.result(of: run), followLink: false)) != nil { return false }
        return try !runnerClient.runProcesses(run).pids.isEmpty
    }

    /// Ends what is left of a run that is beyond its time limit, or that somebody was told is being ended. A living
    /// supervisor does both itself.
    /// - Parameter limit: by the monotonic clock.
    private func enforce(_ limit: Int64, on run: Int64) throws {
        let isPromised = cancellation.isPromised(run)
        guard isPromised || Clock.monotonicMilliseconds() >= limit, !isSupervisorAlive(run) else { return }
        guard !isPromised else { return cancellation.keepPromise(run) }
        if try ender.end(run) { logger.error("run \(run) is beyond its time limit and its supervisor is gone; what it left is being ended") }
    }

    /// A service before this one may have promised to end the run.
    private func recallPromise(_ run: Int64) {
        if (try? history.isCancelPromised(run)) == true { cancellation.promise(run) }
    }

    /// By the monotonic clock.
    private func timeLimit(of run: Int64) -> Int64 {
        var elapsed: Int64 = 0
        if case .string(let text)? = try? history.reader.run(run)?["started_at"], let started = Timestamp.milliseconds(parsing: text) {
            elapsed = max(0, Clock.wallMilliseconds() - started)
        }
        return Clock.monotonicMilliseconds() + settings.script.timeoutSeconds * 1000 - elapsed
    }

    private func isSupervisorAlive(_ run: Int64) -> Bool {
        do { _ = try LocalSocket.connect(directory.socket(of: run)) } catch { return error.code == ETIMEDOUT }
        return true
    }

    /// Settles runs that are over and that nobody waits for: their `sync-service run` was killed. One that ended a moment
    /// ago is left to whoever waits for it.
    func settleForgotten() throws {
        let unfinished = try history.unfinishedRuns()
        guard !unfinished.isEmpty else { return }
        let now = Clock.wallMilliseconds()
        for run in unfinished {
            guard try isOver(run) else {
                recallPromise(run)
                try enforce(timeLimit(of: run), on: run)
                continue
            }
            if let result = try? directory.readResult(of: run), (0..<Self.othersTurnMilliseconds).contains(now - result.finishedAt) { continue }
            try settle(run)
        }
    }

    /// Whether a run has left the run lock, which it would still hold. A result that lies there while the run lock is held
    /// proves nothing: the script may have put it there.
    func isOver(_ run: Int64) throws -> Bool {
        let lock = try runnerClient.runLock()
        guard lock.held else { return try !isAnythingLeft(of: run) }
        // What the run lock's file says of its holder the script may have written. A later run it names must have been
        // recorded, and the supervisor of this one be gone.
        guard let holder = lock.holder?.run, holder > run, try history.unfinishedRuns().contains(holder) else { return false }
        return !isSupervisorAlive(run)
    }

    /// Waits until a run is over, then settles it.
    /// - Returns: nil where the caller left first.
    func follow(_ run: Int64, leave: Descriptor) throws -> RunFinish? {
        recallPromise(run)
        let limit = timeLimit(of: run)
        while true {
            do {
                if try isOver(run) { break }
                try enforce(limit, on: run)
            } catch {
                logger.warning("cannot look at the run lock, trying again: \(error)")
            }
            if try !Poll.readable([leave], milliseconds: 500).isEmpty { return nil }
        }
        return try settle(run)
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
        _ supervisor: MessageChannel, _ start: RunStart, _ spool: Descriptor?, leave: Descriptor, onStart: (Int64) -> Void
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
            let result = try result(supervisor, run, leave)
            guard let result else { return .left(run: run) }
            let finish = finish(of: run, result, spool)
            if try !history.recordFinish(finish, of: run), try history.reader.run(run)?["outcome"] != .string(finish.outcome.rawValue) {
                logger.critical("run \(run) ended \(finish.outcome.rawValue), but somebody has recorded an end before; compare with its entry")
            }
            report(run, finish)
            cleanUp(run)
            return .finished(run: run, finish)
        } catch let error as HistoryError {
            logger.critical("run \(run) is over and could not be recorded; the next start tries again: \(error)")
            return .notRecorded(run: run, reason: "the history cannot be written")
        } catch {
            // The supervisor is gone. The script may live on and keeps the run lock as long as it does.
            logger.error("lost the supervisor of run \(run): \(error)")
            return afterLoss(of: run, leave: leave)
        }
    }

    /// - Returns: nil where the caller left first.
    private func result(_ supervisor: MessageChannel, _ run: Int64, _ leave: Descriptor) throws -> RunResult? {
        try supervisor.send(Go(run: run).message)
        while true {
            let ready = try Poll.readable([supervisor.descriptor, leave], milliseconds: nil)
            if ready.contains(supervisor.descriptor.number) { return try RunResult(try supervisor.receive()) }
            if ready.contains(leave.number) { return nil }
        }
    }

    private func afterLoss(of run: Int64, leave: Descriptor) -> RunAnswer {
        do {
            guard let finish = try follow(run, leave: leave) else { return .left(run: run) }
            return .finished(run: run, finish)
        } catch {
            logger.critical("run \(run) is over and could not be recorded; the next start tries again: \(error)")
            return .notRecorded(run: run, reason: "the history cannot be written")
        }
    }

    /// - Parameters:
    ///   - result: nil where no result was left: interrupted, at this time or before.
    ///   - spool: the output as it was opened at the start; nil looks for it under its name.
    private func finish(of run: Int64, _ result: RunResult?, _ spool: Descriptor? = nil) -> RunFinish {
        let kept: OutputSpool.Content?
        do {
            kept = try OutputSpool.read(keptOpen(spool, run), maximum: settings.script.largestOutput)
        } catch {
            if !error.isNoSuchFile { logger.warning("the output of run \(run) in \(directory.output(of: run)) is unreadable: \(error)") }
            kept = nil
        }
        guard let result else {
            // It died before it could say why. What was promised has been done, by it or in its place.
            let wasCancelled = cancellation.wasForced(run) || cancellation.isPromised(run)
            let outcome = wasCancelled ? Outcome.cancelled : .interrupted
            var finish = RunFinish(
                finishedAt: Clock.wallMilliseconds(), finishedAtExact: false, outcome: outcome,
                outputTruncated: kept?.truncated ?? false, output: kept?.bytes ?? [])
            finish.why = Self.whyEnded(outcome)
            finish.outputBytes = kept?.total
            return finish
        }
        // From a file that the script could have written: quoted, or it could add lines of its own to the log.
        if let startError = result.startError { logger.error("the script of run \(run) could not be executed: \(startError.debugDescription)") }
        if let spoolError = result.spoolError { logger.error("the output of run \(run) could not all be kept: \(spoolError.debugDescription)") }
        let outcome = cancellation.wasForced(run) ? Outcome.cancelled : result.outcome
        var finish = RunFinish(
            finishedAt: result.finishedAt, finishedAtExact: true, outcome: outcome,
            outputTruncated: (kept?.total ?? 0) != result.outputBytes || kept?.truncated ?? false, output: kept?.bytes ?? [])
        finish.durationMilliseconds = result.durationMilliseconds
        finish.why = why(outcome, result)
        finish.exitCode = result.exitCode
        finish.signal = result.signal
        finish.outputBytes = result.outputBytes
        finish.outputSHA256 = result.outputSHA256
        finish.scriptChanged = result.scriptChanged
        finish.lockFileSeen = result.lockFileSeen
        return finish
    }

    private func keptOpen(_ spool: Descriptor?, _ run: Int64) throws(SystemError) -> Descriptor {
        if let spool { return spool }
        return try OutputSpool.open(directory.output(of: run))
    }

    /// The *why* of the documented answer.
    private func why(_ outcome: Outcome, _ result: RunResult) -> String? {
        switch outcome {
        case .succeeded, .running: nil
        case .startFailed: Unfitness.cannotBeExecuted.rawValue
        case .timedOut: "timed out after \(settings.script.timeoutSeconds) seconds"
        case .cancelled, .interrupted: Self.whyEnded(outcome)
        case .failed, .alreadyRunning:
            if let code = result.exitCode { "exited with code \(code)" } else { "killed by signal \(result.signal ?? 0)" }
        }
    }

    private static func whyEnded(_ outcome: Outcome) -> String { outcome == .cancelled ? "cancelled by an administrator" : "interrupted" }

    private func report(_ run: Int64, _ finish: RunFinish) {
        logger.info("run \(run) ended: \(finish.outcome.rawValue)\(finish.why.map { " (\($0))" } ?? "")")
        if finish.outcome == .failed && finish.exitCode == 2 {
            logger.warning(
                "run \(run) exited with 2, \"already running\", but no lock file was there: probably a tool of the script failed; let the script end with 1 then")
        }
    }

    private func cleanUp(_ run: Int64) {
        do { try directory.removeSpool(of: run) } catch { logger.warning("the spool of run \(run) stays: \(error)") }
    }
}
