import AuditLog
import Linux

/// Decides which events get an entry of their own and which are counted, so that no flood fills the audit log or the disk.
///
/// The first ten events of one kind, user and network in ten seconds are single. The others are counted in a window, which
/// ends as one summary. Single entries and counts always add up to the events that were taken. A network is an IPv4 address or
/// the /64 of an IPv6 address. A user has four networks of its own, and all others share one window, so that many addresses
/// make few entries. Events before authentication share one ``EntryBudget``: a summary that finds no room in it waits.
///
/// Times are the caller's, in milliseconds, and never go back.
struct FloodWindows {
    static let singles = 10
    static let windowMilliseconds: Int64 = 10_000
    /// So many kinds and users have windows of their own; others share those without a user.
    static let maximumSubjects = 512
    static let maximumNetworks = (user: 4, anonymous: 64)
    /// The network of those that share one window.
    private static let others = ""

    private struct Subject: Hashable {
        let kind: Event
        let user: String?
    }

    private struct Window {
        let ends: Int64
        var singles = 0
        var tally = EventTally()
    }

    private var windows: [Subject: [String: Window]] = [:]
    private var budget = EntryBudget()

    /// How many events are counted and not yet in a summary.
    var countedEvents: Int64 { windows.values.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.tally.count } } }

    /// Takes an event that has just happened.
    /// - Returns: whether it gets an entry of its own. Otherwise it was counted.
    mutating func admit(_ waiting: WaitingEntry, at now: Int64) -> Bool {
        let subject = subject(of: waiting.entry)
        let network = network(of: waiting.entry.principal?.sourceIP, in: subject)
        var window = windows[subject]?[network] ?? Window(ends: now + Self.windowMilliseconds)
        defer { windows[subject, default: [:]][network] = window }
        guard window.singles < Self.singles, waiting.entry.principal?.user != nil || budget.takeSingle(at: now) else {
            window.tally.add(waiting.tally)
            return false
        }
        window.singles += 1
        return true
    }

    /// Counts what was to be written by itself after all, in the window of its kind and user that all other networks share.
    mutating func count(_ waiting: WaitingEntry, at now: Int64) {
        let subject = subject(of: waiting.entry)
        windows[subject, default: [:]][Self.others, default: Window(ends: now + Self.windowMilliseconds)].tally.add(waiting.tally)
    }

    /// Ends the windows whose time is over, and makes entries of their counts.
    mutating func endWindows(at now: Int64) -> [WaitingEntry] {
        var summaries: [WaitingEntry] = []
        for (subject, network, window) in all where window.ends <= now {
            // A count that finds no room goes on counting.
            guard window.tally.count == 0 || subject.user != nil || budget.takeSummary(at: now) else { continue }
            remove(network, of: subject)
            if let summary = Self.summary(of: window, subject, network) { summaries.append(summary) }
        }
        return summaries
    }

    /// Ends all windows, because the service stops. Counts that find no room become one entry of their kind, without an address.
    mutating func endAllWindows(at now: Int64) -> [WaitingEntry] {
        var summaries: [WaitingEntry] = []
        var rest: [Event: EventTally] = [:]
        for (subject, network, window) in all {
            let hasRoom = subject.user != nil || network != Self.others && window.tally.count > 0 && budget.takeSummary(at: now)
            if hasRoom {
                if let summary = Self.summary(of: window, subject, network) { summaries.append(summary) }
            } else {
                rest[subject.kind, default: EventTally()].add(window.tally)
            }
        }
        windows = [:]
        for (kind, tally) in rest where tally.count > 0 {
            summaries.append(WaitingEntry(entry: tally.summary(kind, user: nil, network: nil), tally: tally))
        }
        return summaries
    }

    private var all: [(Subject, String, Window)] {
        windows.flatMap { subject, networks in networks.map { (subject, $0.key, $0.value) } }
    }

    private mutating func remove(_ network: String, of subject: Subject) {
        windows[subject]?[network] = nil
        if windows[subject]?.isEmpty == true { windows[subject] = nil }
    }

    private func subject(of entry: AuditEntry) -> Subject {
        let own = Subject(kind: entry.event.kind, user: entry.principal?.user)
        return windows[own] != nil || windows.count < Self.maximumSubjects ? own : Subject(kind: own.kind, user: nil)
    }

    private func network(of address: String?, in subject: Subject) -> String {
        guard let network = address.map(IPAddress.network) else { return Self.others }
        let known = windows[subject] ?? [:]
        let maximum = subject.user == nil ? Self.maximumNetworks.anonymous : Self.maximumNetworks.user
        return known[network] != nil || known.count < maximum ? network : Self.others
    }

    /// nil for a window without counted events.
    private static func summary(of window: Window, _ subject: Subject, _ network: String) -> WaitingEntry? {
        guard window.tally.count > 0 else { return nil }
        // An IPv4 network is one address, which the tally knows.
        let text = network.contains(":") ? network + "::/64" : nil
        return WaitingEntry(entry: window.tally.summary(subject.kind, user: subject.user, network: text), tally: window.tally)
    }
}
