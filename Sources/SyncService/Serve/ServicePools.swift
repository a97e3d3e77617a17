import Logging
import Threads

/// All threads of the service for calls that block. The service makes them at its start and ends them when it leaves.
///
/// What shares a pool may wait for each other. Each pool says what must not wait for its calls.
package struct ServicePools: Sendable {
    /// A run keeps a thread until it has ended: the present one, one that an earlier service left, its record that is tried
    /// again, and the settling of forgotten ones.
    let runs = BlockingPool.start("runs", threads: 4)
    /// Apart from runs, because a cancel must not wait for the run it ends.
    let cancelling = BlockingPool.start("cancelling", threads: 2)
    /// Looks at the locks for `GET /sync/status`, one at a time. No other question delays the status.
    let status = BlockingPool.start("status", threads: 1)
    /// Looks for `GET /readyz`, one at a time. A load balancer waits only seconds, and a lock file that hangs takes as long.
    let readiness = BlockingPool.start("readiness", threads: 1)
    /// Reads the script's log. A log that hangs holds up only those who ask for it.
    let log = BlockingPool.start("log", threads: 1)
    /// All other questions to the runner: one thread for the watch for external runs, one for administrators.
    let questions = BlockingPool.start("questions", threads: 2)
    /// The one writer of events. A write may wait half a minute for a backup, and a second writer would only wait behind it.
    let writing = BlockingPool.start("writing", threads: 1)
    /// Reads of the history that take milliseconds: pieces of an output that is being sent, one run, a checkpoint.
    let reads = BlockingPool.start("reads", threads: 2)
    /// Searches in lists, which may go through the whole history. No output waits for them.
    let searches = BlockingPool.start("searches", threads: 4)
    /// Verifications, each of which reads the whole history: the one of the start, and the one that an administrator asks for.
    let verification = BlockingPool.start("verifying", threads: 2)
    /// Reads settings again. The disk of a secret file may hang.
    let settings = BlockingPool.start("settings", threads: 1)

    /// Calls that have not returned then are abandoned: a disk hangs, and the process ends all the same.
    private static let patience = Duration.seconds(5)

    private init() {}

    /// Starts all threads.
    package static func start() -> ServicePools { ServicePools() }

    private var all: [BlockingPool] {
        [runs, cancelling, status, readiness, log, questions, writing, reads, searches, verification, settings]
    }

    /// Ends all threads. To be called when nothing uses them any more: what is asked for later is refused.
    func shutDown(_ logger: Logger) async {
        let (ended, hasEnded) = AsyncStream<String>.makeStream()
        for pool in all { pool.shutDown { hasEnded.yield(pool.name) } }
        let limit = Task {
            try await Task.sleep(for: Self.patience)
            hasEnded.finish()
        }
        var open = Set(all.map(\.name))
        for await name in ended {
            open.remove(name)
            if open.isEmpty { break }
        }
        limit.cancel()
        if !open.isEmpty { logger.warning("left without the end of calls that hang: \(open.sorted().joined(separator: ", "))") }
    }
}
