import RunProtocol
import Synchronization

/// What this process remembers of the runs, so that frequent questions do not read the history again.
///
/// Each value has a lock of its own. No lock is held while the history is read or another lock is taken.
final class KnownRuns: Sendable {
    private let newest = Mutex<LastRun?>(nil)
    /// All runs up to this one have ended.
    private let finishedUpTo = Mutex<Int64>(0)

    /// The newest run that was noted; nil if there was none.
    var lastRun: LastRun? { newest.withLock { $0 } }

    /// Takes note of a run that was recorded or read. What is older than the last note has no effect.
    func note(_ run: LastRun) {
        newest.withLock { known in
            if run.isNewer(than: known) { known = run }
        }
    }

    /// Takes note of an end that this process recorded.
    func noteEnd(of run: Int64, _ outcome: Outcome) {
        newest.withLock { known in
            if known?.id == run { known?.outcome = outcome.rawValue }
        }
    }

    /// The runs that have not ended, oldest first. Only the first call reads all of the history: a run that has ended stays
    /// ended, so later calls begin at the first run that had not.
    /// - Parameter page: reads runs with greater numbers than the given one, in order; empty at the end.
    func unfinished<Failure: Error>(
        _ page: (_ after: Int64) throws(Failure) -> [(run: Int64, isFinished: Bool)]
    ) throws(Failure) -> [Int64] {
        var unfinished: [Int64] = []
        var last = finishedUpTo.withLock { $0 }
        while true {
            let runs = try page(last)
            unfinished += runs.filter { !$0.isFinished }.map(\.run)
            // In a file whose pages were edited, reading on may lead back.
            guard let newest = runs.last?.run, newest > last else { break }
            last = newest
        }
        let settled = unfinished.first.map { $0 - 1 } ?? last
        finishedUpTo.withLock { $0 = max($0, settled) }
        return unfinished
    }
}
