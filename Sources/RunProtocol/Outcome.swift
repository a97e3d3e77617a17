/// How a run stands or ended, as the history and the API name it.
///
/// A new outcome is a case with its traits here, and a migration that replaces the database's trigger
/// `run_finished_outcome`. Recorded names never change.
package enum Outcome: String, Sendable, CaseIterable {
    case running, succeeded, failed
    case alreadyRunning = "already_running"
    case timedOut = "timed_out"
    case cancelled, interrupted
    case startFailed = "start_failed"

    private var traits: (isEnd: Bool, scriptBeganWork: Bool) {
        switch self {
        case .running: (isEnd: false, scriptBeganWork: true)
        case .succeeded: (isEnd: true, scriptBeganWork: true)
        case .failed: (isEnd: true, scriptBeganWork: true)
        case .alreadyRunning: (isEnd: true, scriptBeganWork: false)
        case .timedOut: (isEnd: true, scriptBeganWork: true)
        case .cancelled: (isEnd: true, scriptBeganWork: true)
        case .interrupted: (isEnd: true, scriptBeganWork: true)
        case .startFailed: (isEnd: true, scriptBeganWork: false)
        }
    }

    /// Whether the run is over. The history stores ends only; a run without an end is running.
    package var isEnd: Bool { traits.isEnd }

    /// Whether the script began its work. It did not if it could not be executed, or if it found another sync and left.
    package var scriptBeganWork: Bool { traits.scriptBeganWork }

    /// All outcomes that a run can end with.
    package static let ends = allCases.filter(\.isEnd)
}
