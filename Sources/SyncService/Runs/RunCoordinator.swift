import Linux
import Logging
import RunProtocol
import ServiceLifecycle

/// Knows whether this service has a run and lets at most one begin. The lease decides between processes; this decides
/// between requests, without asking anybody.
actor RunCoordinator: Service {
    private enum State {
        case idle
        case running
        case leaving
    }

    private struct Job: Sendable {
        let script: String
        let requester: Requester
        let answer: CheckedContinuation<Coordinated, Never>
    }

    /// What a request to run comes to.
    enum Coordinated: Sendable {
        case answered(RunAnswer)
        /// No new run: the service is about to stop.
        case leaving
    }

    private let performer: RunPerformer
    private let logger: Logger
    private let worker = Worker(threads: 2)
    private let jobs: AsyncStream<Job>
    private let newJob: AsyncStream<Job>.Continuation
    /// Readable when the service leaves, which ends every wait for a run.
    private let leave: Descriptor
    private let leaveSignal: Descriptor
    private var state = State.idle
    private var followed: Int64?

    init(performer: RunPerformer, logger: Logger) throws(SystemError) {
        self.performer = performer
        self.logger = logger
        (jobs, newJob) = AsyncStream.makeStream()
        (leave, leaveSignal) = try Descriptor.pipe()
    }

    /// Whether this service has a run, its own or one that a service before it left running.
    var hasRun: Bool { state == .running }

    /// Runs the script and returns when it is over, refused, or the service leaves.
    func run(_ script: String, for requester: Requester) async -> Coordinated {
        switch state {
        case .leaving: return .leaving
        case .running: return .answered(.busy)
        case .idle: break
        }
        state = .running
        return await withCheckedContinuation { continuation in
            let job = Job(script: script, requester: requester, answer: continuation)
            if case .terminated = newJob.yield(job) { continuation.resume(returning: .leaving) }
        }
    }

    /// Brings every unfinished run to its end, or begins to follow the one that still goes. To be called before the
    /// listener opens, so that nobody sees a run that is long over.
    func settleUnfinished() async throws {
        let performer = performer
        followed = try await worker.run {
            let unfinished = try performer.history.unfinishedRuns()
            guard !unfinished.isEmpty else { return nil }
            let lock = try performer.inquirer.lockInfo()
            let alive = lock.leaseHeld ? lock.holder?.run ?? unfinished.last : nil
            for run in unfinished where run != alive { try performer.settle(run) }
            return unfinished.contains { $0 == alive } ? alive : nil
        }
        if let followed {
            state = .running
            logger.notice("run \(followed) is still running; following it")
        }
    }

    /// Performs runs until the service leaves.
    func run() async throws {
        let leaveSignal = leaveSignal
        let newJob = newJob
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                if let followed { group.addTask { await self.follow(followed) } }
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

    private func perform(_ job: Job) async {
        let performer = performer
        let leave = leave
        let answer: RunAnswer
        do {
            answer = try await worker.run { performer.perform(job.script, for: job.requester, leave: leave) { _ in } }
        } catch {
            answer = .notStarted(reason: "\(error)")
        }
        if state == .running { state = .idle }
        job.answer.resume(returning: .answered(answer))
    }

    private func follow(_ run: Int64) async {
        let performer = performer
        let leave = leave
        do { _ = try await worker.run { try performer.follow(run, leave: leave) } } catch {
            logger.critical("run \(run) could not be settled; the next start tries again: \(error)")
        }
        if state == .running { state = .idle }
    }
}
