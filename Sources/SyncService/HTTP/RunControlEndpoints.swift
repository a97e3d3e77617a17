import AuditLog
import HTTPTypes
import HummingbirdCore
import JSON
import Linux
import Logging
import NIOCore
import RunProtocol

/// What an administrator may do about a run or a stale lock.
struct RunControlEndpoints: Sendable {
    let script: ScriptSettings
    let coordinator: RunCoordinator
    let inquirer: Inquirer
    let history: History
    private let worker = Worker(threads: 1)

    init(script: ScriptSettings, coordinator: RunCoordinator, inquirer: Inquirer, history: History) {
        self.script = script
        self.coordinator = coordinator
        self.inquirer = inquirer
        self.history = history
    }

    var routes: [Route] {
        [
            Route(method: .post, path: "/admin/runs/{id}/cancel", role: .admin, handler: cancel),
            Route(method: .get, path: "/admin/lock", role: .admin, handler: lock),
            Route(method: .post, path: "/admin/lock/clear", role: .admin, readsBody: true, handler: clear),
        ]
    }

    @Sendable func cancel(_ call: Call) async throws -> Response {
        let reader = history.reader
        guard let run = try await worker.run({ try reader.run(call.id) }) else { throw RequestError.notFound }
        guard run["outcome"] == .string(Outcome.running.rawValue) else { throw RequestError.conflict("Run \(call.id) is not running") }
        // Recorded first: an end that somebody wanted must not look like one that just happened. But a sync that has to be
        // stopped is stopped, also where nothing can be written any more.
        let request = AuditEvent(.runCancelRequested, by: call.actor, [.init("run", .integer(call.id))])
        await recordIfPossible(request, call)
        let answer = try await coordinator.cancel(call.id)
        await recordIfPossible(AuditEvent(.runCancelAnswered, by: call.actor, outcome: answer.rawValue, [.init("run", .integer(call.id))]), call)
        switch answer {
        case .ending: break
        case .tooLate: throw RequestError.conflict("Run \(call.id) is over or just ending; it cannot be cancelled any more")
        case .unreachable: throw RequestError.unavailable("Run \(call.id) cannot be reached; the operator's log says why")
        }
        call.logger.notice("run \(call.id) is being cancelled", metadata: ["user": "\(call.user.debugDescription)"])
        return Answer.json(.accepted, .status("cancelling", "Run \(call.id) is being ended"))
    }

    @Sendable func lock(_ call: Call) async throws -> Response {
        let inquirer = inquirer
        let (runLock, lockFile, process, processes) = try await worker.run {
            try (inquirer.runLock(), inquirer.lockFile(), inquirer.scriptProcess(), inquirer.runProcesses(nil))
        }
        let holder = runLock.holder.map { holder -> JSON in
            .object([
                .init("run", .optional(holder.run)), .init("since", .string(Timestamp.text(holder.since))), .init("pid", .integer(holder.pid)),
            ])
        }
        let file = lockFile.map { file -> JSON in
            .object([
                .init("path", .string(script.lockPath)),
                .init("age_seconds", .integer(max(0, (Clock.wallMilliseconds() - file.modified) / 1000))),
                .init("owner", .integer(file.owner)), .init("device", .string(String(file.identity.device))),
                .init("inode", .string(String(file.identity.inode))),
            ])
        }
        return Answer.json(
            .ok,
            .object([
                .init("lease_held", .bool(runLock.held)), .init("holder", holder ?? .null), .init("lock_file", file ?? .null),
                .init("script_process", .string(process.rawValue)), .init("processes", .array(processes.pids.map { .integer($0) })),
            ]))
    }

    /// Removes a lock file that a killed script left behind. The runner decides, holding the lease.
    @Sendable func clear(_ call: Call) async throws -> Response {
        let body = try await call.request.body.collect(upTo: RequestFraming.maximumBody)
        guard let object = try? JSON(parsing: Array(body.readableBytesView), maxBytes: 8192, maxDepth: 4),
            case .string(let reason)? = object["reason"], !reason.trimmed().isEmpty, reason.utf8.count <= 1024
        else { throw RequestError.badRequest(#"Send a reason for the record: {"reason":"…"}"#) }
        let (inquirer, history) = (inquirer, history)
        guard let file = try await worker.run({ try inquirer.lockFile() }) else { throw RequestError.conflict("There is no lock file") }
        func event(_ kind: Event, _ outcome: String? = nil, _ more: [JSON.Member] = []) -> AuditEvent {
            AuditEvent(kind, by: call.actor, outcome: outcome, [.init("reason", .string(reason))] + more)
        }
        // A lock file that is gone must have its entry, so the wish is on the disk before anything is done.
        let request = event(.lockClearRequested)
        do { try await worker.run { try history.record([request]) } } catch {
            call.logger.error("the lock file was left, because its removal could not be recorded: \(error)")
            throw RequestError.unavailable("The lock file was left: the history cannot be written")
        }
        let reply: LockClearReply
        do { reply = try await worker.run { try inquirer.clearLock(file) } } catch {
            call.logger.error("the runner was lost while it removed the lock file: \(error)")
            await recordIfPossible(event(.lockClearFailed, "unknown"), call)
            throw RequestError.unavailable("Nobody knows whether the lock file was removed; look at the lock again")
        }
        switch reply {
        case .refused(let why):
            await recordIfPossible(event(.lockClearFailed, "refused", [.init("why", .string(why))]), call)
            throw RequestError.conflict("The lock file was left: \(why)")
        case .cleared:
            await recordIfPossible(event(.lockCleared), call)
            call.logger.notice(
                "the script's lock file was removed", metadata: ["user": "\(call.user.debugDescription)", "reason": "\(reason.debugDescription)"])
            return Answer.json(.ok, .status("cleared", "The lock file was removed"))
        }
    }

    /// The wish is on the disk already, or could not wait for it: what fails here is told to the operator.
    private func recordIfPossible(_ event: AuditEvent, _ call: Call) async {
        let history = history
        do { try await worker.run { try history.record([event]) } } catch {
            call.logger.error("\(event.kind.rawValue) could not be recorded: \(error)")
        }
    }
}
