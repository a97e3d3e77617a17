import Glibc
import Linux
import RunProtocol

/// Ends the processes of a run whose supervisor is gone. This process then does nothing else.
struct OrphanedRunTermination {
    /// How long killed processes may take to vanish. One in an uninterruptible wait may never vanish.
    private static let killMilliseconds: Int64 = 5000
    private static let lookMilliseconds: Int64 = 100

    let request: EndRunRequest
    let service: MessageChannel
    let parent: Int32

    /// Returns when no process of the run is left, or KILL did not help.
    func run() throws {
        let orphaned = OrphanedRun(directory: RunDirectory(request.runDirectory), run: request.run, parent: parent)
        let first = orphaned.processes()
        guard !first.isEmpty else { return try service.send(EndRunReply.nothingLeft.message) }
        signal(first, SIGTERM)
        // A stopped process sees its TERM only after CONT.
        signal(first, SIGCONT)
        complain("the supervisor of run \(request.run) is gone; ending its processes: \(Self.list(first))")
        // The work goes on even if the service is gone.
        try? service.send(EndRunReply.ending(RunProcesses(pids: first.map(Int64.init))).message)
        let killAt = Clock.monotonicMilliseconds() + request.graceSeconds * 1000
        while true {
            _ = try Poll.readable([], milliseconds: Self.lookMilliseconds)
            let left = orphaned.processes()
            let now = Clock.monotonicMilliseconds()
            if left.isEmpty { return }
            if now >= killAt { ProcessKiller.kill(orphaned.processes) }
            if now >= killAt + Self.killMilliseconds {
                return complain("run \(request.run): KILL does not end \(Self.list(left)); see ps -o pid,stat,wchan,args")
            }
        }
    }

    private static func list(_ processes: [Int32]) -> String { processes.map(String.init).joined(separator: " ") }

    private func signal(_ processes: [Int32], _ number: Int32) {
        for process in processes { kill(process, number) }
    }
}
