import AuditLog
import Linux
import Logging
import ServiceLifecycle
import Threads

/// Events that need not be on the disk before their answer: refusals and reads. They are written together, about once a
/// second, and floods of them are counted instead of kept one by one, so that nobody fills the audit log or the disk.
///
/// The first ten of one kind, network and user in ten seconds are events of their own, the rest one event with `count`,
/// `first`, `last` and the values that occurred: counts and single events always add up to what happened. A network is an
/// IPv4 address or the /64 of an IPv6 one. One user has four networks of its own, all others share one place, so that many
/// addresses write no more than a few. Before authentication at most 60 entries a minute are written over all addresses,
/// the counts of the last flush among them: at the end those that find no room become one of their kind, without an
/// address. What cannot be written waits, and is counted where too much waits. A kill loses at most the open window.
package actor EventBuffer: Service {
    private static let singles = 10
    private static let windowMilliseconds: Int64 = 10_000
    private static let anonymousPerMinute = 60
    /// Of these so many are kept for the counts of what was not kept singly.
    private static let anonymousReserve = 12
    /// And these for the last counts of all, one for each kind that comes through here.
    private static let closingReserve = 4
    /// Kinds and users that are counted apart; and their networks, for a user and before authentication.
    private static let maximumSubjects = 512
    private static let maximumNetworks = (user: 4, anonymous: 64)
    private static let maximumWaiting = 2000
    private static let flushInterval = Duration.seconds(1)
    /// The network of those that share one place.
    private static let others = ""

    private struct Subject: Hashable {
        package let kind: Event
        package let user: String?
    }

    private struct Window {
        package let ends: Int64
        package var kept = 0
        var tally = EventTally()
    }

    /// What waits to be written, and what remains of it where it has to be counted after all.
    private struct Pending {
        let entry: AuditEntry
        let tally: EventTally

        var user: String? { entry.principal?.user }
    }

    private let history: HistoryStore
    private let logger: Logger
    private let pool: BlockingPool
    private var pending: [Pending] = []
    private var windows: [Subject: [String: Window]] = [:]
    private var anonymous = (minute: Int64(0), count: 0)

    /// - Parameter pool: for writing events.
    package init(history: HistoryStore, pool: BlockingPool, logger: Logger) {
        self.history = history
        self.pool = pool
        self.logger = logger
    }

    /// Takes one event; returns at once.
    package func record(_ event: AuditEvent, by principal: Principal) {
        let now = Clock.monotonicMilliseconds()
        let subject = subject(event.kind, principal.user)
        let network = network(of: principal.sourceIP, in: subject)
        var window = windows[subject]?[network] ?? Window(ends: now + Self.windowMilliseconds)
        let tally = EventTally(at: Clock.wallMilliseconds(), from: principal.sourceIP, event.members)
        if window.kept < Self.singles, principal.user != nil || takeAnonymous(now, leaving: Self.anonymousReserve) {
            window.kept += 1
            pending.append(Pending(entry: AuditEntry(event, by: principal), tally: tally))
        } else {
            window.tally.add(tally)
        }
        windows[subject, default: [:]][network] = window
    }

    /// Takes an event that somebody else tried to write and could not.
    package func add(_ event: AuditEvent) {
        pending.append(Pending(entry: AuditEntry(event), tally: EventTally(at: Clock.wallMilliseconds(), from: nil, event.members)))
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            // Ended in its sleep, it leaves the rest to the last flush: a cancelled task gets no thread to write on.
            while (try? await Task.sleep(for: Self.flushInterval)) != nil { await self.flush(closingAll: false) }
        }
        await flush(closingAll: true)
    }

    private func subject(_ kind: Event, _ user: String?) -> Subject {
        let own = Subject(kind: kind, user: user)
        return windows[own] != nil || windows.count < Self.maximumSubjects ? own : Subject(kind: kind, user: nil)
    }

    private func network(of address: String?, in subject: Subject) -> String {
        guard let network = address.map(IPAddress.network) else { return Self.others }
        let known = windows[subject] ?? [:]
        let maximum = subject.user == nil ? Self.maximumNetworks.anonymous : Self.maximumNetworks.user
        return known[network] != nil || known.count < maximum ? network : Self.others
    }

    private func takeAnonymous(_ now: Int64, leaving reserve: Int) -> Bool {
        let minute = now / 60_000
        if anonymous.minute != minute { anonymous = (minute, 0) }
        guard anonymous.count < Self.anonymousPerMinute - reserve else { return false }
        anonymous.count += 1
        return true
    }

    private func flush(closingAll: Bool) async {
        endWindows(closingAll: closingAll)
        let writing = pending
        guard !writing.isEmpty else { return }
        pending = []
        let history = history
        do { try await pool.run { try history.record(writing.map(\.entry)) } } catch {
            pending = writing + pending
            let what = closingAll ? "\(pending.reduce(0) { $0 + $1.tally.count }) events are lost" : "\(writing.count) entries wait"
            logger.error("the history cannot be written, \(what): \(error)")
            countWhatIsTooMuch()
        }
    }

    /// Makes events of the counts of windows that are over.
    private func endWindows(closingAll: Bool) {
        let now = Clock.monotonicMilliseconds()
        var rest: [Event: EventTally] = [:]
        for (subject, networks) in windows {
            // Those with an address first: at the end the others make one event with what found no room.
            for (network, window) in networks.sorted(by: { $0.key > $1.key }) where closingAll || window.ends <= now {
                let isRest = closingAll && subject.user == nil && network == Self.others
                let hasRoom = window.tally.count == 0 || subject.user != nil || !isRest && takeAnonymous(now, leaving: Self.closingReserve)
                // A count that finds no room waits, and goes on counting.
                guard hasRoom || closingAll else { continue }
                windows[subject]?[network] = nil
                if !hasRoom {
                    rest[subject.kind, default: EventTally()].add(window.tally)
                } else if window.tally.count > 0 {
                    let entry = window.tally.summary(subject.kind, user: subject.user, network: Self.text(ofNetwork: network))
                    pending.append(Pending(entry: entry, tally: window.tally))
                }
            }
            if windows[subject]?.isEmpty == true { windows[subject] = nil }
        }
        for (kind, tally) in rest {
            pending.append(Pending(entry: tally.summary(kind, user: nil, network: nil), tally: tally))
        }
    }

    /// A audit log that cannot be written refuses runs, not answers. Only so many events wait singly until it can be written.
    private func countWhatIsTooMuch() {
        guard pending.count > Self.maximumWaiting else { return }
        for one in pending[Self.maximumWaiting...] {
            let subject = subject(one.entry.event.kind, one.user)
            var window = windows[subject]?[Self.others] ?? Window(ends: Clock.monotonicMilliseconds() + Self.windowMilliseconds)
            window.tally.add(one.tally)
            windows[subject, default: [:]][Self.others] = window
        }
        pending.removeSubrange(Self.maximumWaiting...)
    }

    /// Such as `2001:db8:0:1::/64`; nil for several networks. One address is told as it is.
    private static func text(ofNetwork network: String) -> String? {
        network.contains(":") ? network + "::/64" : nil
    }
}
