import Linux
import RunProtocol
import Synchronization

/// Has the runner end what is left of a run whose supervisor is gone. Calls block.
final class OrphanTerminator: Sendable {
    private static let patienceMilliseconds: Int64 = 10_000
    /// How long after the grace period a runner still works on an end.
    private static let afterGraceMilliseconds: Int64 = 10_000

    private let runner: RunnerConnector
    private let runDirectory: String
    private let graceSeconds: Int64
    /// Runs that a runner is ending, and until when. A second runner would only look at the same processes.
    private let atWork = Mutex<[Int64: Int64]>([:])

    init(_ settings: RunSettings, runner: RunnerConnector) {
        self.runner = runner
        runDirectory = settings.runDirectory
        graceSeconds = settings.script.graceSeconds
    }

    /// Returns once TERM is sent. KILL follows after the grace period, whether or not this service goes on.
    /// - Returns: whether anything of the run is found.
    func end(_ run: Int64) throws -> Bool {
        let now = Clock.monotonicMilliseconds()
        let isAtWork = atWork.withLock { runs in
            runs = runs.filter { $0.value > now }
            return runs[run] != nil
        }
        if isAtWork { return true }
        let channel = try runner.connect()
        try channel.send(EndRunRequest(runDirectory: runDirectory, run: run, graceSeconds: graceSeconds).message)
        let answer = try channel.receive(milliseconds: Self.patienceMilliseconds)
        if case .failed(let reason)? = try? RunReply(answer) { throw RunnerRefusal(description: reason, isAboutSettings: false) }
        guard case .ending = try EndRunReply(answer) else { return false }
        atWork.withLock { $0[run] = now + graceSeconds * 1000 + Self.afterGraceMilliseconds }
        return true
    }
}
