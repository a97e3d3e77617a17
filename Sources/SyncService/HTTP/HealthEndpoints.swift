import HTTPTypes
import HummingbirdCore
import JSON
import Linux
import Logging

/// What a supervisor or a load balancer asks, without a token and without a word about the inside.
struct HealthEndpoints: Sendable {
    let readiness: Readiness
    private let worker = Worker(threads: 1)

    init(readiness: Readiness) { self.readiness = readiness }

    var routes: [Route] {
        [
            Route(method: .get, path: "/healthz", role: nil) { _ in Answer.json(.ok, .object([.init("status", .string("ok"))])) },
            Route(method: .get, path: "/readyz", role: nil, readsToken: true, handler: ready),
        ]
    }

    /// 200 or 503; why not, only for those with a token.
    @Sendable func ready(_ call: Call) async throws -> Response {
        let readiness = readiness
        var reasons = try await worker.run { readiness.reasons() }
        if await readiness.coordinator.isLeaving { reasons.append(.shuttingDown) }
        guard !reasons.isEmpty else { return Answer.json(.ok, .object([.init("status", .string("ready"))])) }
        var body: [JSON.Member] = [.init("status", .string("not_ready"))]
        if call.claims != nil { body.append(.init("reasons", .array(reasons.map { .string($0.rawValue) }))) }
        return Answer.json(.serviceUnavailable, .object(body), [.retryAfter: "10"])
    }
}

/// Whether a run could start now and be recorded.
struct Readiness: Sendable {
    enum Reason: String, Sendable {
        /// The database failed to write; it is not trusted again until a restart.
        case notRecording = "not_recording"
        /// The trail was tampered with or is not the one that is pinned.
        case historyDamaged = "history_damaged"
        /// It does not extend the checkpoints in AUDIT_CHECKPOINT_FILE.
        case historyRolledBack = "history_rolled_back"
        case historyUnreadable = "history_unreadable"
        case diskReserve = "disk_reserve"
        case runner = "runner"
        case scriptNotSet = "script_not_set"
        /// A run would be recorded as start_failed.
        case scriptUnfit = "script_unfit"
        case runDirectory = "run_directory"
        /// The disk is mounted read-only, or the folder's owner or mode was changed.
        case notWritable = "not_writable"
        case shuttingDown = "shutting_down"
    }

    let history: History
    let inquirer: Inquirer
    let coordinator: RunCoordinator
    let settings: Settings

    /// Why not; empty when all is well. Blocks.
    func reasons() -> [Reason] {
        var reasons: [Reason] = []
        if history.isLatched { reasons.append(.notRecording) }
        if history.knownDamage != nil { reasons.append(history.isRolledBack ? .historyRolledBack : .historyDamaged) }
        if (try? history.unfinishedRuns()) == nil { reasons.append(.historyUnreadable) }
        if (try? history.holdReserve()) == nil { reasons.append(.diskReserve) }
        if (try? inquirer.lockInfo()) == nil { reasons.append(.runner) }
        if (try? Files.facts(settings.runDirectory, followLink: false))?.kind != .directory { reasons.append(.runDirectory) }
        let folders: [String] = [settings.stateDirectory, settings.runDirectory]
        if folders.contains(where: { (try? Files.tryToCreate(in: $0)) == nil }) { reasons.append(.notWritable) }
        if settings.script.path == nil {
            reasons.append(.scriptNotSet)
        } else if (try? inquirer.isScriptFit()) == false {
            reasons.append(.scriptUnfit)
        }
        return reasons
    }
}
