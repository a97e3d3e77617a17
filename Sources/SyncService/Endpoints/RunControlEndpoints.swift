import AuditLog
import HTTPFraming
import HTTPServer
import HTTPTypes
import History
import JSON
import Linux
import Logging
import RunProtocol
import Runs
import Threads

/// Lets an administrator end a run and remove a stale lock file.
struct RunControlEndpoints: Sendable {
    let script: ScriptSettings
    let coordinator: RunCoordinator
    let runnerClient: RunnerClient
    let history: HistoryStore
    private let pools: ServicePools

    init(script: ScriptSettings, coordinator: RunCoordinator, runnerClient: RunnerClient, history: HistoryStore, pools: ServicePools) {
        self.script = script
        self.coordinator = coordinator
        self.runnerClient = runnerClient
        self.history = history
        self.pools = pools
    }

    /// Cancels the run that is in progress.
    @Sendable func cancel(_ context: RequestContext) async throws -> Response {
        let reader = history.reader
        guard let run = try await pools.reads.run({ try reader.run(context.id) }) else { throw RequestError.notFound }
        guard run["outcome"] == .string(Outcome.running.rawValue) else { throw RequestError.conflict("Run \(context.id) is not running") }
        // Recorded first, because a cancelled run must not look like one that ended by itself. But a run is cancelled even
        // if nothing can be recorded.
        await recordIfPossible(.runCancelRequested(run: context.id), context)
        let answer = try await coordinator.cancel(context.id)
        await recordIfPossible(.runCancelAnswered(run: context.id, answer), context)
        switch answer {
        case .ending: break
        case .tooLate: throw RequestError.conflict("Run \(context.id) has ended or is about to end; it cannot be cancelled any more")
        case .unreachable: throw RequestError.unavailable("Run \(context.id) cannot be reached; the operator's log says why")
        }
        context.logger.notice("run \(context.id) is being cancelled", metadata: ["user": "\(context.user.debugDescription)"])
        return ResponseBuilder.json(.accepted, .status("cancelling", "Run \(context.id) is being ended"))
    }

    /// Shows the run lock, the script's lock file and the processes of the script.
    @Sendable func lock(_ context: RequestContext) async throws -> Response {
        let runnerClient = runnerClient
        let (runLock, lockFile, process, processes) = try await pools.questions.run {
            try (runnerClient.runLock(), runnerClient.lockFile(), runnerClient.scriptProcess(), runnerClient.runProcesses(nil))
        }
        let holder = runLock.holder.map { holder -> JSONValue in
            .object([
                .init("run", .optional(holder.run)), .init("since", .string(Timestamp.text(holder.since))), .init("pid", .integer(holder.pid)),
            ])
        }
        let file = lockFile.map { file -> JSONValue in
            .object([
                .init("path", .string(script.lockPath)),
                .init("age_seconds", .integer(max(0, (Clock.wallMilliseconds() - file.modified) / 1000))),
                .init("owner", .integer(file.owner)), .init("device", .string(String(file.identity.device))),
                .init("inode", .string(String(file.identity.inode))),
            ])
        }
        return ResponseBuilder.json(
            .ok,
            .object([
                .init("lease_held", .bool(runLock.held)), .init("holder", holder ?? .null), .init("lock_file", file ?? .null),
                .init("script_process", .string(process.rawValue)), .init("processes", .array(processes.pids.map { .integer($0) })),
            ]))
    }

    /// Removes a lock file that a killed script left behind. The runner decides while it holds the run lock.
    @Sendable func clear(_ context: RequestContext) async throws -> Response {
        guard let object = try? JSONValue(parsing: context.request.body, maxBytes: 8192, maxDepth: 4),
            case .string(let reason)? = object["reason"], !reason.trimmed().isEmpty, reason.utf8.count <= 1024
        else { throw RequestError.badRequest(#"Send a reason for the record: {"reason":"…"}"#) }
        let (runnerClient, history) = (runnerClient, history)
        guard let file = try await pools.questions.run({ try runnerClient.lockFile() }) else { throw RequestError.conflict("There is no lock file") }
        // A removed lock file must have its entry, so the request is on the disk before anything is done.
        do { try await pools.writing.run { try history.record(.lockClearRequested(reason: reason), by: context.principal) } } catch {
            context.logger.error("the lock file was left, because its removal could not be recorded: \(error)")
            throw RequestError.unavailable("The lock file was left: the history cannot be written")
        }
        let reply: LockClearReply
        do { reply = try await pools.questions.run { try runnerClient.clearLock(file) } } catch {
            context.logger.error("the runner was lost while it removed the lock file: \(error)")
            await recordIfPossible(.lockClearFailed(reason: reason, .unknown), context)
            throw RequestError.unavailable("It is unknown whether the lock file was removed; look at the lock again")
        }
        switch reply {
        case .refused(let why):
            await recordIfPossible(.lockClearFailed(reason: reason, .refused, why: why), context)
            throw RequestError.conflict("The lock file was left: \(why)")
        case .cleared:
            await recordIfPossible(.lockCleared(reason: reason), context)
            context.logger.notice(
                "the script's lock file was removed", metadata: ["user": "\(context.user.debugDescription)", "reason": "\(reason.debugDescription)"])
            return ResponseBuilder.json(.ok, .status("cleared", "The lock file was removed"))
        }
    }

    /// Records an event whose failure must not stop the work. The failure is logged.
    private func recordIfPossible(_ event: AuditEvent, _ context: RequestContext) async {
        let history = history
        do { try await pools.writing.run { try history.record(event, by: context.principal) } } catch {
            context.logger.error("\(event.kind.rawValue) could not be recorded: \(error)")
        }
    }
}
