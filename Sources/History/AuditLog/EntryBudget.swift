/// How many entries a minute may be written for events before authentication, over all addresses.
///
/// Single entries leave room for the summaries of what was not kept singly, and these for the last summaries when the service
/// stops: one for each kind of event that is counted. Times are the caller's, in milliseconds, and never go back.
struct EntryBudget {
    static let perMinute = 60
    /// What single entries leave, and what summaries leave of that.
    private static let reserve = (summaries: 12, lastSummaries: 4)

    private var minute: Int64 = 0
    private var taken = 0

    /// - Returns: whether there is room for the entry of a single event; then it is taken.
    mutating func takeSingle(at now: Int64) -> Bool { take(at: now, leaving: Self.reserve.summaries) }

    /// - Returns: whether there is room for a summary; then it is taken.
    mutating func takeSummary(at now: Int64) -> Bool { take(at: now, leaving: Self.reserve.lastSummaries) }

    private mutating func take(at now: Int64, leaving reserve: Int) -> Bool {
        if minute != now / 60_000 { (minute, taken) = (now / 60_000, 0) }
        guard taken < Self.perMinute - reserve else { return false }
        taken += 1
        return true
    }
}
