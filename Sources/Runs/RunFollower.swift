import History
import JSON
import Linux
import Logging
import RunProtocol

/// Brings runs to their end whose service, command or supervisor was killed.
/// Calls block.
struct RunFollower: Sendable {
    private static let othersTurnMilliseconds: Int64 = 10_000
    private static let betweenLooksMilliseconds: Int64 = 500

    let script: ScriptSettings
    let directory: RunDirectory
    let history: HistoryStore
    let liveness: RunLiveness
    let settler: RunSettler
    let cancellation: RunCancellation
    let terminator: OrphanTerminator
    let logger: Logger

    /// Waits until a run is over, then settles it.
    /// - Returns: nil where the caller left first.
    func follow(_ run: Int64, leave: LeaveSignal) throws -> RunFinish? {
        cancellation.recallPromise(run)
        let limit = timeLimit(of: run)
        while true {
            do {
                if try liveness.isOver(run) { break }
                try enforce(limit, on: run)
            } catch {
                logger.warning("cannot look at the run lock, trying again: \(error)")
            }
            if try leave.wait(milliseconds: Self.betweenLooksMilliseconds) { return nil }
        }
        return try settler.settle(run)
    }

    /// Settles every unfinished run that is over, at the start of the service.
    /// - Returns: the run that still goes on, if there is one.
    func settleUnfinished() throws -> Int64? {
        var alive: Int64?
        for run in try history.unfinishedRuns() {
            guard try liveness.isOver(run) else {
                alive = run
                continue
            }
            do { try settler.settle(run) } catch {
                // Nothing is recorded in a damaged history, and yet it can be read.
                guard history.knownDamage != nil else { throw error }
                logger.error("the end of run \(run) cannot be recorded: \(error)")
            }
        }
        return alive
    }

    /// Settles runs that are over and whose `sync-service run` was killed. A run that ended a
    /// moment ago is left to its own process, which may still be recording it.
    func settleForgotten() throws {
        let unfinished = try history.unfinishedRuns()
        guard !unfinished.isEmpty else { return }
        let now = Clock.wallMilliseconds()
        for run in unfinished {
            guard try liveness.isOver(run) else {
                cancellation.recallPromise(run)
                try enforce(timeLimit(of: run), on: run)
                continue
            }
            if let result = try? directory.readResult(of: run), (0..<Self.othersTurnMilliseconds).contains(now - result.finishedAt) { continue }
            try settler.settle(run)
        }
    }

    /// Ends what is left of a run that is beyond its time limit, or that somebody was told is being ended. A living
    /// supervisor does both itself.
    /// - Parameter limit: by the monotonic clock.
    private func enforce(_ limit: Int64, on run: Int64) throws {
        let isPromised = cancellation.isPromised(run)
        guard isPromised || Clock.monotonicMilliseconds() >= limit, !liveness.isSupervisorAlive(run) else { return }
        guard !isPromised else { return cancellation.keepPromise(run) }
        if try terminator.end(run) { logger.error("run \(run) is beyond its time limit and its supervisor is gone; what it left is being ended") }
    }

    /// When the time limit of a run is over, by the monotonic clock.
    private func timeLimit(of run: Int64) -> Int64 {
        var elapsed: Int64 = 0
        if case .string(let text)? = try? history.reader.run(run)?["started_at"], let started = Timestamp.milliseconds(parsing: text) {
            elapsed = max(0, Clock.wallMilliseconds() - started)
        }
        return Clock.monotonicMilliseconds() + script.timeoutSeconds * 1000 - elapsed
    }
}
