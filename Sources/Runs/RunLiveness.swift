import Glibc
import History
import Linux
import RunProtocol

/// Tells whether a run still goes on, with its supervisor or without. Calls block.
struct RunLiveness: Sendable {
    let directory: RunDirectory
    let runnerClient: RunnerClient
    let history: HistoryStore

    /// Whether a run has ended: it has released the run lock, and none of its processes lives. A result that lies there while
    /// the run lock is held proves nothing, because the script may have put it there.
    func isOver(_ run: Int64) throws -> Bool {
        let lock = try runnerClient.runLock()
        guard lock.held else { return try !isAnythingLeft(of: run) }
        // The script may have written what the run lock's file says of its holder. So a later run that it names must have been
        // recorded, and the supervisor of this one must be gone.
        guard let holder = lock.holder?.run, holder > run, try history.unfinishedRuns().contains(holder) else { return false }
        return !isSupervisorAlive(run)
    }

    /// Whether the supervisor of a run listens at its socket.
    func isSupervisorAlive(_ run: Int64) -> Bool {
        do { _ = try LocalSocket.connect(directory.socket(of: run)) } catch { return error.code == ETIMEDOUT }
        return true
    }

    /// Whether an earlier run goes on, although the run lock is free: a script can remove the run lock's file, or close its
    /// descriptor and end its supervisor. Where the runner cannot tell, the answer is yes, because nothing may begin then.
    func isAnyRunAlive() -> Bool {
        let unfinished = (try? history.unfinishedRuns()) ?? []
        return unfinished.contains { isSupervisorAlive($0) || (try? isAnythingLeft(of: $0)) ?? true }
    }

    /// Whether a process of the run lives although its supervisor died. A run that ended in order has left its result.
    private func isAnythingLeft(of run: Int64) throws -> Bool {
        if (try? Files.facts(directory.result(of: run), followLink: false)) != nil { return false }
        return try !runnerClient.runProcesses(run).pids.isEmpty
    }
}
