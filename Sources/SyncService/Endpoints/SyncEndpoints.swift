import AuditLog
import Diagnostics
import Encoding
import History
import HTTPServer
import HTTPTypes
import HummingbirdCore
import JSON
import JWT
import Linux
import Logging
import RunProtocol
import Runs
import Synchronization
import Threads

/// The three documented endpoints. Names, texts and the order of keys are the contract.
struct SyncEndpoints: Sendable {
    let script: ScriptSettings
    let coordinator: RunCoordinator
    let runnerClient: RunnerClient
    let history: HistoryStore
    let events: EventBuffer
    /// Told once, not at every poll.
    private let lastLogProblem = DuplicateFilter()
    /// Any token can cause it.
    private let noScriptLines = LogThrottle(lines: 1, in: 10_000)
    private let syncIsRunning: SharedLook<Bool>
    private let lastStatusProblem = DuplicateFilter()
    private let pools: ServicePools
    /// A log is up to a mebibyte, kept until its client has taken it.
    private let logs = ReadSlots(16, perUser: 4)
    private static let logPatience = Duration.seconds(5)

    init(script: ScriptSettings, coordinator: RunCoordinator, runnerClient: RunnerClient, history: HistoryStore, events: EventBuffer, pools: ServicePools) {
        self.script = script
        self.coordinator = coordinator
        self.runnerClient = runnerClient
        self.history = history
        self.events = events
        self.pools = pools
        syncIsRunning = SharedLook(on: pools.status) { try runnerClient.isRunning() }
    }

    /// A body, which front ends post out of habit, has been read whole by the guard and is ignored: no byte of a
    /// request reaches the script.
    @Sendable func run(_ context: RequestContext) async throws -> Response {
        var response = try await runAnswer(context)
        // It covers the run of this answer. A client that keeps it can tell later whether what came before was rewritten.
        if let head = history.log.newestKnown {
            response.headers[.syncCheckpoint] = Base64.standard.encode(head.note.encoded)
        }
        return response
    }

    private func runAnswer(_ context: RequestContext) async throws -> Response {
        guard let claims = context.claims else { throw RequestError.internalError }
        guard let path = script.path else {
            noScriptLines.log { context.logger.error("SYNC_SCRIPT_PATH is not set; set it to the absolute path of the script\($0)") }
            await events.record(.runRefused(.scriptNotSet), by: context.principal)
            return Self.failure(.internalServerError, "SYNC_SCRIPT_PATH environment variable is not set")
        }
        let requester = Requester(
            user: claims.user, userName: claims.name, tokenFingerprint: claims.fingerprint, trigger: .api,
            sourceIP: context.sourceIP, requestID: context.requestID)
        let asked = Self.prefersAsync(context.request.headers)
        switch await coordinator.run(path, for: requester, respondAfter: asked ? .zero : script.respondAfter) {
        case .accepted(let run): return Self.accepted(run, applied: asked)
        case .leaving: return Self.unavailable("The service is shutting down; nothing was started", run: nil)
        case .busy:
            // The audit log counts these; a line for each would let any token fill the log.
            context.logger.debug("refused: a sync is running already")
            await events.record(.runRefused(.busy), by: context.principal)
            return Self.alreadyRunning(run: nil)
        case .notStarted(let reason): return Self.unavailable("Nothing was started: \(reason)", run: nil)
        case .notRecorded(let run, let reason): return Self.unavailable("The end is not recorded yet: \(reason)", run: run)
        case .left(let run): return Self.unavailable("The service is shutting down; the run continues", run: run)
        case .finished(let run, let finish): return try await finished(run, finish)
        }
    }

    /// The answer rests on a look at the locks that began after the request came in. Where the run lock is free and the
    /// script's lock file does not answer, nobody knows: 503, because `idle` would invite somebody to start a second sync
    /// and `running` could stand there for ever.
    @Sendable func status(_ context: RequestContext) async throws -> Response {
        do {
            let running = if await coordinator.hasRun { true } else { try await syncIsRunning.value() }
            _ = lastStatusProblem.isNew(nil)
            // Looked up last: a run whose end was just recorded must not be idle and running in one answer.
            return ResponseBuilder.json(
                .ok, running ? Self.runningStatus : .status("idle", "No sync is currently running"), lastRunHeaders(context))
        } catch let error as PathHangs {
            if lastStatusProblem.isNew(error.subject) { context.logger.error("the status is unknown: \(error)") }
            throw RequestError.unavailable("Nobody can tell whether a sync is running: \(error)")
        }
    }

    /// Number and outcome of the newest run, for administrators and the user who started it: this is how a client that
    /// got 202 learns how its run ended. A token may name a user as the command line does, so the trigger counts too.
    private func lastRunHeaders(_ context: RequestContext) -> HTTPFields {
        guard let last = history.lastRun, let user = context.claims?.user else { return [:] }
        let isOwn = last.trigger == Requester.Trigger.api.rawValue && last.user.utf8.elementsEqual(user.utf8)
        guard isOwn || context.isAdmin else { return [:] }
        return [.syncRunID: String(last.id), .syncRunOutcome: last.outcome]
    }

    @Sendable func log(_ context: RequestContext) async throws -> Response {
        let runnerClient = runnerClient
        let failure = ResponseBuilder.json(.internalServerError, .status("error", "Error reading log file"))
        // Before the log is read, so that those who wait for a place hold nothing of it.
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

    private static let runningStatus = JSONValue.status("running", "Sync is currently running")

    /// `Prefer: respond-async` (RFC 7240 section 4.1).
    private static func prefersAsync(_ headers: HTTPFields) -> Bool {
        headers[values: .prefer].contains { value in
            value.split(separator: ",").contains { $0.split(separator: ";").first.map { String($0).trimmed().lowercased() } == "respond-async" }
        }
    }

    /// The run goes on; the client asks for the status until it is over, as the documented example does.
    private static func accepted(_ run: Int64, applied: Bool) -> Response {
        var headers = header(run)
        headers[.location] = "/sync/status"
        if applied { headers[.preferenceApplied] = "respond-async" }
        return ResponseBuilder.json(.accepted, runningStatus, headers)
    }

    private func finished(_ run: Int64, _ finish: RunFinish) async throws -> Response {
        // Exit code 2 is always answered as documented, whatever the record makes of it.
        if finish.exitCode == 2 && (finish.outcome == .failed || finish.outcome == .alreadyRunning) { return Self.alreadyRunning(run: run) }
        let output = output(run, finish)
        guard finish.outcome != .succeeded else {
            return try await ResponseBuilder.json(
                .ok, JSONValue.statusMembers("success", "Sync script executed successfully"), "output", output, Self.header(run))
        }
        let message = "Failed to execute sync script: \(finish.why ?? finish.outcome.rawValue)"
        return try await ResponseBuilder.json(
            .internalServerError, JSONValue.statusMembers("error", message), "output", output, Self.header(run))
    }

    /// A long output is read from the history while it is sent. Unread answers hold none of it in memory.
    private func output(_ run: Int64, _ finish: RunFinish) -> LongText {
        guard finish.output.count > 65536 else { return LongText(finish.output) }
        let (reader, reads) = (history.reader, pools.reads)
        return LongText(count: Int64(finish.output.count)) { offset, count in
            try await reads.run { try reader.output(of: run, offset: offset, count: count) }
        }
    }

    private static func alreadyRunning(run: Int64?) -> Response {
        ResponseBuilder.json(.conflict, .status("running", "Sync is already running. Please wait for it to complete."), header(run))
    }

    private static func unavailable(_ message: String, run: Int64?) -> Response {
        var headers = header(run)
        headers[.retryAfter] = "10"
        return failure(.serviceUnavailable, message, headers)
    }

    /// Of a run that printed nothing, because there was none.
    private static func failure(_ status: HTTPResponse.Status, _ message: String, _ headers: HTTPFields = [:]) -> Response {
        ResponseBuilder.json(status, .status("error", message, [.init("output", .string(""))]), headers)
    }

    private static func header(_ run: Int64?) -> HTTPFields { run.map { [.syncRunID: String($0)] } ?? [:] }
}
