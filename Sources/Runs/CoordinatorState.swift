/// Decides whether a run may begin, and what is refused why. Pure; ``RunCoordinator`` acts.
///
///     idle ──request──▶ running ──end──▶ idle
///                          │end without record
///                          ▼
///                      unrecorded ──end──▶ idle         any ──leave──▶ leaving
struct CoordinatorState: Sendable {
    private enum Phase { case idle, running, unrecorded, leaving }

    private var phase = Phase.idle

    /// Asks for a new run.
    /// - Returns: nil where it begins now; otherwise the answer that refuses it.
    mutating func request() -> RunAnswer? {
        switch phase {
        case .leaving: return .leaving
        case .running: return .busy
        case .unrecorded: return .notStarted(reason: "the end of the last run is not recorded yet")
        case .idle:
            phase = .running
            return nil
        }
    }

    /// An earlier service left a run that goes on. To be called before the first ``request()``.
    mutating func follow() { if phase == .idle { phase = .running } }

    /// The run is over, and its end could not be recorded. No new run begins until ``end()``, because it could not be
    /// recorded either.
    mutating func endWithoutRecord() { if phase == .running { phase = .unrecorded } }

    /// The run is over and recorded, or given up.
    mutating func end() { if phase != .leaving { phase = .idle } }

    /// The service is about to stop, whatever goes on.
    mutating func leave() { phase = .leaving }

    /// Whether a run goes on that this service knows.
    var hasRun: Bool { phase == .running }

    /// Whether a run could begin now.
    var isIdle: Bool { phase == .idle }

    /// nil where a run could begin or one goes on.
    var obstacle: RunCoordinator.Obstacle? {
        switch phase {
        case .idle, .running: nil
        case .unrecorded: .unrecorded
        case .leaving: .leaving
        }
    }
}
