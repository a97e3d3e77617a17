/// What came of a request to cancel, as the audit log names it.
package enum CancelAnswer: String, Sendable, CaseIterable {
    /// TERM was sent, and the run is recorded as cancelled.
    case ending
    /// The script is over, or is ended for another reason already.
    case tooLate = "too_late"
    /// Neither supervisor nor runner can be reached.
    case unreachable
}
