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
        do { try await worker.run { try history.record([request]) } } catch {
            call.logger.error("the cancel of run \(call.id) could not be recorded: \(error)")
        }
        guard try await coordinator.cancel(call.id) else {
            throw RequestError.conflict("Run \(call.id) is just ending, or its runner cannot be reached; the operator's log says which")
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
        let inquirer = inquirer
        let reply = try await worker.run { () throws -> LockClearReply? in
            guard let file = try inquirer.lockFile() else { return nil }
            return try inquirer.clearLock(file)
        }
        switch reply {
        case nil: throw RequestError.conflict("There is no lock file")
        case .refused(let reason)?: throw RequestError.conflict("The lock file was left: \(reason)")
        case .cleared?:
            let event = AuditEvent(.lockCleared, by: call.actor, [.init("reason", .string(reason))])
            let history = history
            try await worker.run { try history.record([event]) }
            call.logger.notice(
                "the script's lock file was removed", metadata: ["user": "\(call.user.debugDescription)", "reason": "\(reason.debugDescription)"])
            return Answer.json(.ok, .status("cleared", "The lock file was removed"))
        }
    }
}
