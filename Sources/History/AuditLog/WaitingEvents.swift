/// What waits to be written to the audit log: entries, and the counts of floods. Every event that was taken is in exactly one of
/// them until it is handed out.
///
/// Times are the caller's, in milliseconds by a clock that never goes back.
struct WaitingEvents {
    /// So many entries wait by themselves while the history cannot be written. Further ones are counted.
    static let maximumEntries = 2000

    private var entries: [WaitingEntry] = []
    private var windows = FloodWindows()

    /// How many events wait.
    var count: Int64 { entries.reduce(windows.countedEvents) { $0 + $1.tally.count } }

    /// Takes an event, of which there may be floods.
    mutating func record(_ waiting: WaitingEntry, at now: Int64) {
        if windows.admit(waiting, at: now) { entries.append(waiting) }
    }

    /// Takes an event that always gets an entry of its own.
    mutating func add(_ waiting: WaitingEntry) { entries.append(waiting) }

    /// Hands out what is to be written now, with the summaries of windows that are over.
    /// - Parameter isLast: whether nothing is written later. Then all windows end.
    mutating func takeEntries(at now: Int64, isLast: Bool) -> [WaitingEntry] {
        defer { entries = [] }
        return entries + (isLast ? windows.endAllWindows(at: now) : windows.endWindows(at: now))
    }

    /// Takes back what was handed out and could not be written.
    mutating func putBack(_ unwritten: [WaitingEntry], at now: Int64) {
        entries = unwritten + entries
        guard entries.count > Self.maximumEntries else { return }
        for waiting in entries[Self.maximumEntries...] { windows.count(waiting, at: now) }
        entries.removeSubrange(Self.maximumEntries...)
    }
}
