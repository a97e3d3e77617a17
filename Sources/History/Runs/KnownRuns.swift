import RunProtocol
import Synchronization

/// The newest run as this process knows it, so that frequent questions do not read the history.
///
/// The lock is not held while the history is read.
final class KnownRuns: Sendable {
    private let newest = Mutex<LastRun?>(nil)

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
}
