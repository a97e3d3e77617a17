import AuditLog
import JSON
import Linux
import Logging
import ServiceLifecycle

/// Events that need not be on the disk before their answer: refusals and reads. They are written together, about once a
/// second, and floods of them are counted instead of kept one by one, so that nobody fills the trail or the disk.
///
/// The first ten of one kind, address and user in ten seconds are events of their own, the rest one event with `count`,
/// `first` and `last`: counts and single events always add up to what happened. Before authentication at most 60 entries
/// a minute are written over all addresses, the counts of the last flush among them: at the end those that find no room
/// become one of their kind, without an address. A kill loses at most the open window.
actor EventBuffer: Service {
    private static let singles = 10
    private static let windowMilliseconds: Int64 = 10_000
    private static let anonymousPerMinute = 60
    /// Of these so many are kept for the counts of what was not kept singly.
    private static let anonymousReserve = 12
    /// And these for the last counts of all, one for each kind that comes through here.
    private static let closingReserve = 4
    private static let maximumWindows = 1024
    private static let maximumWaiting = 2000
    private static let flushInterval = Duration.seconds(1)

    private struct Key: Hashable {
        let kind: Event
        let sourceIP: String?
        let user: String?
    }

    private struct Window {
        let ends: Int64
        var kept = 0
        var counted: Int64 = 0
        var first: Int64 = 0
        var last: Int64 = 0

        /// Takes in what another counted.
        mutating func add(_ other: Window) {
            first = counted == 0 ? other.first : min(first, other.first)
            last = max(last, other.last)
            counted += other.counted
        }
    }

    private let history: History
    private let logger: Logger
    private let worker = Worker(threads: 1)
    private var pending: [AuditEvent] = []
    private var windows: [Key: Window] = [:]
    private var anonymous = (minute: Int64(0), count: 0)

    init(history: History, logger: Logger) {
        self.history = history
        self.logger = logger
    }

    /// Takes one event; returns at once.
    func record(_ kind: Event, by actor: Actor, outcome: String? = nil, _ fields: [JSON.Member] = []) {
        let now = Clock.monotonicMilliseconds()
        var key = Key(kind: kind, sourceIP: actor.sourceIP, user: actor.user)
        if windows[key] == nil && windows.count >= Self.maximumWindows { key = Key(kind: kind, sourceIP: nil, user: nil) }
        var window = windows[key] ?? Window(ends: now + Self.windowMilliseconds)
        let isAnonymous = actor.user == nil
        if window.kept < Self.singles, !isAnonymous || takeAnonymous(now, leaving: Self.anonymousReserve) {
            window.kept += 1
            pending.append(AuditEvent(kind, by: actor, outcome: outcome, fields))
        } else {
            let wall = Clock.wallMilliseconds()
            if window.counted == 0 { window.first = wall }
            window.counted += 1
            window.last = wall
        }
        windows[key] = window
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            // Ended in its sleep, it leaves the rest to the last flush: a cancelled task gets no thread to write on.
            while (try? await Task.sleep(for: Self.flushInterval)) != nil { await self.flush(closingAll: false) }
        }
        await flush(closingAll: true)
    }

    private func takeAnonymous(_ now: Int64, leaving reserve: Int) -> Bool {
        let minute = now / 60_000
        if anonymous.minute != minute { anonymous = (minute, 0) }
        guard anonymous.count < Self.anonymousPerMinute - reserve else { return false }
        anonymous.count += 1
        return true
    }

    private func flush(closingAll: Bool) async {
        let now = Clock.monotonicMilliseconds()
        var rest: [Event: Window] = [:]
        for (key, window) in windows where closingAll || window.ends <= now {
            let hasRoom = window.counted == 0 || key.user != nil || takeAnonymous(now, leaving: Self.closingReserve)
            // A count that finds no room waits, and goes on counting; at the end it is added to the others of its kind.
            guard hasRoom || closingAll else { continue }
            windows[key] = nil
            if !hasRoom {
                rest[key.kind, default: Window(ends: now)].add(window)
            } else if window.counted > 0 {
                pending.append(Self.summary(key, window))
            }
        }
        for (kind, window) in rest { pending.append(Self.summary(Key(kind: kind, sourceIP: nil, user: nil), window)) }
        let events = pending
        guard !events.isEmpty else { return }
        pending = []
        let history = history
        do { try await worker.run { try history.record(events) } } catch {
            // A trail that cannot be written refuses runs, not answers; so many wait until it can.
            if pending.count + events.count <= Self.maximumWaiting { pending = events + pending }
            logger.error("\(events.count) events could not be recorded yet: \(error)")
        }
    }

    private static func summary(_ key: Key, _ window: Window) -> AuditEvent {
        AuditEvent(
            key.kind, by: Actor(user: key.user, sourceIP: key.sourceIP),
            [
                .init("count", .integer(window.counted)), .init("first", .string(Timestamp.text(window.first))),
                .init("last", .string(Timestamp.text(window.last))),
            ])
    }
}
