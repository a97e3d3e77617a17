import AuditLog
import Diagnostics
import Encoding
import HTTPFraming
import HTTPServer
import HTTPTypes
import History
import JSON
import JWT
import Linux
import Logging
import NIOCore
import RunProtocol
import Runs
import Threads

/// The three documented endpoints. Their texts, codes and order of keys are the contract; those of `POST /sync/run` are in
/// ``RunResponse``.
struct SyncEndpoints: Sendable {
    private static let isRunning = ResponseBuilder.json(.ok, .status("running", "Sync is currently running"))
    private static let isIdle = ResponseBuilder.json(.ok, .status("idle", "No sync is currently running"))

    let script: ScriptSettings
    let coordinator: RunCoordinator
    let runnerClient: RunnerClient
    let history: HistoryStore
    let events: EventBuffer
    /// Clients poll, so the same problem is logged once.
    private let lastLogProblem = DuplicateFilter()
    /// Every token can cause this line.
    private let noScriptLines = LogThrottle(lines: 1, in: 10_000)
    private let syncIsRunning: CoalescedRead<Bool>
    private let lastStatusProblem = DuplicateFilter()
    private let pools: ServicePools
    /// A log takes up to a mebibyte until its client has taken it.
    private let logs = ReadSlots(16, perUser: 4)
    private static let logPatience = Duration.seconds(5)

    init(
        script: ScriptSettings, coordinator: RunCoordinator, runnerClient: RunnerClient, history: HistoryStore, events: EventBuffer,
        pools: ServicePools
    ) {
        self.script = script
        self.coordinator = coordinator
        self.runnerClient = runnerClient
        self.history = history
        self.events = events
        self.pools = pools
        syncIsRunning = CoalescedRead(on: pools.status) { try runnerClient.isRunning() }
    }

    /// Starts a run and waits for its end. A body, which front ends send out of habit, was discarded by the guard: no byte of
    /// a request reaches the script.
    @Sendable func run(_ context: RequestContext) throws -> RouteTable.Answer {
        guard let claims = context.claims else { throw RequestError.internalError }
        guard let path = script.path else {
            noScriptLines.log { context.logger.error("SYNC_SCRIPT_PATH is not set; set it to the absolute path of the script\($0)") }
            events.record(.runRefused(.scriptNotSet), by: context.principal)
            return .now(withCheckpoint(RunResponse.scriptNotSet))
        }
        if let refusal = coordinator.request() {
            if case .busy = refusal { return .now(withCheckpoint(busy(context))) }
            return inTask(context) { refusal }
        }
        let requester = Requester(
            user: claims.user, userName: claims.name, tokenFingerprint: claims.fingerprint, trigger: .api,
            sourceIP: context.sourceIP, requestID: context.requestID.description)
        let respondAfter = Self.prefersAsync(context.request.fields) ? .zero : script.respondAfter
        return inTask(context) { [coordinator] in await coordinator.run(path, for: requester, respondAfter: respondAfter) }
    }

    private func inTask(_ context: RequestContext, _ run: @escaping @Sendable () async -> RunAnswer) -> RouteTable.Answer {
        .later(context.eventLoop.makeFutureWithTask { try await withCheckpoint(response(to: run(), context)) })
    }

    /// Adds the newest checkpoint. It covers the run of this answer. A client that keeps it can prove later that the history
    /// before it was rewritten.
    private func withCheckpoint(_ response: Response) -> Response {
        guard let head = history.log.newestKnown else { return response }
        var response = response
        response.add([.syncCheckpoint: Base64.standard.encode(head.note.encoded)])
        return response
    }

    private func response(to answer: RunAnswer, _ context: RequestContext) async throws -> Response {
        switch answer {
        case .accepted(let run): RunResponse.accepted(run, preferenceApplied: Self.prefersAsync(context.request.fields))
        case .leaving: RunResponse.unavailable("The service is shutting down; nothing was started")
        case .busy: busy(context)
        case .notStarted(let reason): RunResponse.unavailable("Nothing was started: \(reason)")
        case .notRecorded(let run, let reason): RunResponse.unavailable("The end is not recorded yet: \(reason)", run)
        case .left(let run): RunResponse.unavailable("The service is shutting down; the run continues", run)
        case .finished(let run, let finish): try await RunResponse.finished(run, finish, output(run, finish))
        }
    }

    private func busy(_ context: RequestContext) -> Response {
        // The audit log counts these; a line for each would let any token fill the log.
        context.debug("refused: a sync is running already")
        events.record(.runRefused(.busy), by: context.principal)
        return RunResponse.busy
    }

    /// Tells whether a sync is running, by a look at the locks that begins after the request arrives. If the run lock is free
    /// and the script's lock file does not answer, the status is unknown: 503, because `idle` would invite a second sync, and
    /// `running` could stay for ever.
    @Sendable func status(_ context: RequestContext) -> RouteTable.Answer {
        if coordinator.hasRun { return .now(status(isRunning: true, context)) }
        let answer = context.eventLoop.makePromise(of: Response.self)
        syncIsRunning.value { look in
            // On the event loop, because the one thread that looks must be free for the next look.
            context.eventLoop.execute { answer.completeWith(Result { try status(after: look, context) }) }
        }
        return .later(answer.futureResult)
    }

    private func status(after look: Result<Bool, any Error>, _ context: RequestContext) throws -> Response {
        do { return status(isRunning: try look.get(), context) } catch let error as PathHangs {
            if lastStatusProblem.isNew(error.subject) { context.logger.error("the status is unknown: \(error)") }
            throw RequestError.unavailable("It is unknown whether a sync is running: \(error)")
        }
    }

    private func status(isRunning: Bool, _ context: RequestContext) -> Response {
        _ = lastStatusProblem.isNew(nil)
        var response = isRunning ? Self.isRunning : Self.isIdle
        // The headers come last. Otherwise a run that ends now could be idle and running in one answer.
        response.add(lastRunHeaders(context))
        return response
    }

    /// Number and outcome of the newest run, for administrators and for the user who started it. A client that got 202 learns
    /// here how its run ended. The trigger must match as well, because a token may have the same user name as a run from the
    /// command line.
    private func lastRunHeaders(_ context: RequestContext) -> HTTPFields {
        guard let last = history.lastRun, let user = context.claims?.user else { return [:] }
        let isOwn = last.trigger == Requester.Trigger.api.rawValue && last.user.utf8.elementsEqual(user.utf8)
        guard isOwn || context.isAdmin else { return [:] }
        return [.syncRunID: String(last.id), .syncRunOutcome: last.outcome]
    }

    /// The last lines of the script's log. Every failure has the one documented answer; the operator's log says why.
    @Sendable func log(_ context: RequestContext) async throws -> Response {
        let runnerClient = runnerClient
        let failure = ResponseBuilder.json(.internalServerError, .status("error", "Error reading log file"))
        // Taken before the log is read, so that requests that wait for a slot hold nothing of the log.
        let slot = try await logs.take(for: context.user, within: Self.logPatience)
        do {
            switch try await pools.log.run({ try runnerClient.logTail() }) {
            case .lines(let bytes):
                _ = lastLogProblem.isNew(nil)
                return try await ResponseBuilder.json(.ok, [.init("status", .string("success"))], "log", LongText(bytes), keeping: slot)
            case .unreadable(let reason):
                if lastLogProblem.isNew(reason) { context.logger.warning("the script's log cannot be shown: \(reason)") }
                return failure
            }
        } catch {
            if lastLogProblem.isNew((error as? PathHangs)?.subject ?? "\(error)") {
                context.logger.error("the script's log cannot be shown: \(error)")
            }
            return failure
        }
    }

    /// `Prefer: respond-async` (RFC 7240 section 4.1).
    private static func prefersAsync(_ fields: RequestFields) -> Bool {
        fields.values(of: "prefer").contains { value in
            value.split(separator: ",").contains { $0.split(separator: ";").first.map { String($0).trimmed().lowercased() } == "respond-async" }
        }
    }

    /// A long output is read from the history while it is sent, so that an unread answer holds little memory.
    private func output(_ run: Int64, _ finish: RunFinish) -> LongText {
        guard finish.output.count > 65536 else { return LongText(finish.output) }
        let (reader, reads) = (history.reader, pools.reads)
        return LongText(count: Int64(finish.output.count)) { offset, count in
            try await reads.run { try reader.output(of: run, offset: offset, count: count) }
        }
    }
}
