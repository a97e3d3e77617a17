import History
import Linux
import Logging
import RunProtocol
import ServiceLifecycle
import Threads

/// Knows whether this service has a run and lets at most one begin. The run lock decides between processes; this decides
/// between requests, without asking anybody.
package actor RunCoordinator: Service {
    private enum State {
        case idle
        case running
        /// The last run is over and its end could not be recorded yet.
        case unrecorded
        case leaving
    }

    private struct Job: Sendable {
        package let script: String
        package let requester: Requester
        package let respondAfter: Duration?
    }

    /// How long until the record of a run that is over is tried again.
    private static let retryMilliseconds: Int64 = 2000

    private static let forgottenInterval = Duration.seconds(5)

    private let performer: RunPerformer
    private let logger: Logger
    private let pool: BlockingPool
    private let cancelling: BlockingPool
    private let jobs: AsyncStream<Job>
    private let newJob: AsyncStream<Job>.Continuation
    /// Readable when the service leaves, which ends every wait for a run.
    private let leave: Descriptor
    private let leaveSignal: Descriptor
    private var state = State.idle
    private var followed: Int64?
    /// Who waits for the present run; nil once answered.
    private var client: CheckedContinuation<RunAnswer, Never>?

    /// - Parameters:
    ///   - pool: a thread of it is busy for as long as a run goes on.
    ///   - cancelling: must not be busy with runs, which a cancel would wait for.
    package init(performer: RunPerformer, pool: BlockingPool, cancelling: BlockingPool, logger: Logger) throws(SystemError) {
        self.performer = performer
        self.pool = pool
        self.cancelling = cancelling
        self.logger = logger
        (jobs, newJob) = AsyncStream.makeStream()
        (leave, leaveSignal) = try Descriptor.pipe()
    }

    /// Whether this service has a run, its own or one that a service before it left running.
    package var hasRun: Bool { state == .running }

    /// Why no run begins although none goes on.
    package enum Obstacle: Sendable { case unrecorded, leaving }

    /// nil where a run could begin or one goes on.
    package var obstacle: Obstacle? {
        switch state {
        case .idle, .running: nil
        case .unrecorded: .unrecorded
        case .leaving: .leaving
        }
    }

    /// Runs the script and returns when it is over, refused, or the service leaves.
    /// - Parameter respondAfter: return that long after the start with ``RunAnswer/accepted(run:)``; nil waits for the end.
    package func run(_ script: String, for requester: Requester, respondAfter: Duration?) async -> RunAnswer {
        switch state {
        case .leaving: return .leaving
        case .running: return .busy
        case .unrecorded: return .notStarted(reason: "the end of the last run is not recorded yet")
        case .idle: break
        }
        state = .running
        return await withCheckedContinuation { continuation in
            client = continuation
            let job = Job(script: script, requester: requester, respondAfter: respondAfter)
            if case .terminated = newJob.yield(job) { answer(.leaving) }
        }
    }

    /// Ends a run of this run directory, whoever started it.
    package func cancel(_ run: Int64) async throws -> CancelAnswer {
        let cancellation = performer.cancellation
        return try await cancelling.run { cancellation.cancel(run) }
    }

    /// Brings every unfinished run to its end, or begins to follow the one that still goes. To be called before the
    /// listener opens, so that nobody sees a run that is long over.
    package func settleUnfinished() async throws {
        let performer = performer
        let logger = logger
        followed = try await pool.run {
            var alive: Int64?
            for run in try performer.history.unfinishedRuns() {
                guard try performer.isOver(run) else {
                    alive = run
                    continue
                }
                do { try performer.settle(run) } catch {
                    // Nothing is recorded in a damaged history, and yet it can be read.
                    guard performer.history.knownDamage != nil else { throw error }
                    logger.error("the end of run \(run) cannot be recorded: \(error)")
                }
            }
            return alive
        }
        if let followed {
            state = .running
            logger.notice("run \(followed) is still running; following it")
        }
    }

    /// Records runs of the command line whose process was killed before it could.
    private func settleForgotten() async {
        guard state == .idle else { return }
        let performer = performer
        do { try await pool.run { try performer.settleForgotten() } } catch {
            logger.debug("unfinished runs cannot be settled now: \(error)")
        }
    }

    /// Performs runs until the service leaves.
    package func run() async throws {
        let leaveSignal = leaveSignal
        let newJob = newJob
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                if let followed { group.addTask { await self.follow(followed) } }
                group.addTask {
                    await cancelWhenGracefulShutdown {
                        while (try? await Task.sleep(for: Self.forgottenInterval)) != nil { await self.settleForgotten() }
                    }
                }
                for await job in jobs {
                    group.addTask { await self.perform(job) }
                }
            }
        } onCancelOrGracefulShutdown: {
            Task { await self.beginToLeave() }
            newJob.finish()
            try? leaveSignal.write([1])
        }
    }

    private func beginToLeave() { state = .leaving }

    private func answer(_ answer: RunAnswer) {
        client?.resume(returning: answer)
        client = nil
    }

    private func perform(_ job: Job) async {
        let performer = performer
        let leave = leave
        let (started, startedNow) = AsyncStream<Int64>.makeStream()
        // The clock for an early answer runs beside the run and ends with it.
        let early = Task {
            for await run in started {
                guard let delay = job.respondAfter else { continue }
                try await Task.sleep(for: delay)
                answer(.accepted(run: run))
            }
        }
        var result: RunAnswer
        do {
            result = try await pool.run {
                performer.perform(job.script, for: job.requester, leave: leave) { startedNow.yield($0) }
            }
        } catch {
            result = .notStarted(reason: "the service is stopping")
        }
        startedNow.finish()
        if job.respondAfter != .zero { early.cancel() }
        _ = await early.result
        answer(result)
        if case .notRecorded(let run, _) = result { await record(run) }
        if state == .running { state = .idle }
    }

    private func follow(_ run: Int64) async {
        let performer = performer
        let leave = leave
        do { _ = try await pool.run { try performer.follow(run, leave: leave) } } catch { await record(run) }
        if state == .running { state = .idle }
    }

    /// Tries again and again to record the end of a run, whose result waits in the spool. No new run begins meanwhile:
    /// it could not be recorded either.
    private func record(_ run: Int64) async {
        if state == .running { state = .unrecorded }
        defer { if state == .unrecorded { state = .idle } }
        let performer = performer
        let leave = leave
        do {
            try await pool.run {
                while try Poll.readable([leave], milliseconds: Self.retryMilliseconds).isEmpty {
                    do {
                        try performer.settle(run)
                        return
                    } catch {
                        performer.logger.error("run \(run) is still not recorded: \(error)")
                    }
                }
            }
        } catch {
            logger.error("run \(run) stays unrecorded until the next start: \(error)")
        }
    }
}
