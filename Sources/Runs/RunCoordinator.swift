import History
import Linux
import Logging
import ServiceLifecycle
import Synchronization
import Threads

/// Knows whether this service has a run and lets at most one begin. The run lock decides between processes; this decides
/// between requests, without asking another process. ``CoordinatorState`` holds the decisions.
package actor RunCoordinator: Service {
    /// Why no run begins although none goes on.
    package enum Obstacle: Sendable { case unrecorded, leaving }

    private struct Job: Sendable {
        let script: String
        let requester: Requester
        let respondAfter: Duration?
    }

    /// How long until the record of a run that is over is tried again.
    private static let retryMilliseconds: Int64 = 2000
    private static let forgottenInterval = Duration.seconds(5)

    private let performer: RunPerformer
    private let leave: LeaveSignal
    private let pool: BlockingPool
    private let cancelling: BlockingPool
    private let logger: Logger
    private let jobs: AsyncStream<Job>
    private let newJob: AsyncStream<Job>.Continuation
    /// Behind a lock of its own, because event loops ask too, and must not wait for the actor.
    private let state = Mutex(CoordinatorState())
    private var followed: Int64?
    /// The request that waits for the present run; nil once it is answered.
    private var client: CheckedContinuation<RunAnswer, Never>?

    /// - Parameters:
    ///   - leave: the coordinator sends it when the service leaves. It ends every wait for a run.
    ///   - pool: a thread of it is busy for as long as a run goes on.
    ///   - cancelling: must not be busy with runs, which a cancel would wait for.
    package init(performer: RunPerformer, leave: LeaveSignal, pool: BlockingPool, cancelling: BlockingPool, logger: Logger) {
        self.performer = performer
        self.leave = leave
        self.pool = pool
        self.cancelling = cancelling
        self.logger = logger
        (jobs, newJob) = AsyncStream.makeStream()
    }

    /// Whether this service has a run, its own or one that an earlier service left.
    package nonisolated var hasRun: Bool { state.withLock { $0.hasRun } }

    /// nil where a run could begin or one goes on.
    package nonisolated var obstacle: Obstacle? { state.withLock { $0.obstacle } }

    /// Asks for a new run. Does not wait.
    /// - Returns: nil where it begins now: the caller must call ``run(_:for:respondAfter:)``, once. Otherwise the answer that
    ///   refuses it.
    package nonisolated func request() -> RunAnswer? { state.withLock { $0.request() } }

    /// Runs the script after ``request()`` has allowed it. Returns when the run is over, or the service leaves.
    /// - Parameter respondAfter: return that long after the start with ``RunAnswer/accepted(run:)``; nil waits for the end.
    package func run(_ script: String, for requester: Requester, respondAfter: Duration?) async -> RunAnswer {
        await withCheckedContinuation { continuation in
            client = continuation
            let job = Job(script: script, requester: requester, respondAfter: respondAfter)
            if case .terminated = newJob.yield(job) { answer(.leaving) }
        }
    }

    /// Returns when the coordinator has had a turn: it is alive.
    package func act() {}

    /// Ends a run of this run directory, also one that another process started.
    /// - Throws: `CancellationError` where the service has left or the request is gone.
    package func cancel(_ run: Int64) async throws -> CancelAnswer {
        let cancellation = performer.cancellation
        return try await cancelling.run { cancellation.cancel(run) }
    }

    /// Brings every unfinished run to its end, or begins to follow the one that still goes on. To be called before the listener
    /// opens, so that no client sees a run that is long over.
    package func settleUnfinished() async throws {
        let follower = performer.follower
        followed = try await pool.run { try follower.settleUnfinished() }
        if let followed {
            state.withLock { $0.follow() }
            logger.notice("run \(followed) is still running; following it")
        }
    }

    /// Performs runs until the service leaves.
    package func run() async throws {
        let (leave, newJob) = (leave, newJob)
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
            leave.send()
        }
    }

    private func beginToLeave() { state.withLock { $0.leave() } }

    private func answer(_ answer: RunAnswer) {
        client?.resume(returning: answer)
        client = nil
    }

    private func perform(_ job: Job) async {
        let (performer, leave) = (performer, leave)
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
        if case .notRecorded(let run, _) = result { await recordLater(run) }
        state.withLock { $0.end() }
    }

    private func follow(_ run: Int64) async {
        let (follower, leave) = (performer.follower, leave)
        do { _ = try await pool.run { try follower.follow(run, leave: leave) } } catch { await recordLater(run) }
        state.withLock { $0.end() }
    }

    /// Records runs of the command line whose process was killed before it could.
    private func settleForgotten() async {
        guard state.withLock({ $0.isIdle }) else { return }
        let follower = performer.follower
        do { try await pool.run { try follower.settleForgotten() } } catch {
            logger.debug("unfinished runs cannot be settled now: \(error)")
        }
    }

    /// Tries again and again to record the end of a run, whose result waits in the spool.
    private func recordLater(_ run: Int64) async {
        state.withLock { $0.endWithoutRecord() }
        let (settler, leave, logger) = (performer.settler, leave, logger)
        do {
            try await pool.run {
                while try !leave.wait(milliseconds: Self.retryMilliseconds) {
                    do {
                        try settler.settle(run)
                        return
                    } catch {
                        logger.error("run \(run) is still not recorded: \(error)")
                    }
                }
            }
        } catch {
            logger.error("run \(run) stays unrecorded until the next start: \(error)")
        }
    }
}
