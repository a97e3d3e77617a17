/// An entry that waits to be written, and what to count in its place where it cannot wait.
struct WaitingEntry: Sendable {
    let entry: AuditEntry
    let tally: EventTally
}

extension WaitingEntry {
    /// One event.
    /// - Parameter at: milliseconds since 1970 UTC.
    init(_ entry: AuditEntry, at moment: Int64) {
        self.entry = entry
        tally = EventTally(at: moment, from: entry.principal?.sourceIP, entry.event.members)
    }
}
