import AuditLog
import JSON
import TestSupport
import Testing

@testable import History

@Suite struct WaitingEventsTests {
    private static let start: Int64 = 6_000_000

    private static func read(_ run: Int64, by user: String? = "ana", from address: String = "192.0.2.7") -> WaitingEntry {
        WaitingEntry(AuditEntry(.historyRead(.run, run: run), by: Principal(user: user, sourceIP: address)), at: 1_772_431_200_000)
    }

    private static func members(_ waiting: WaitingEntry) -> JSONValue { .object(waiting.entry.members) }

    private static func isSummary(_ waiting: WaitingEntry) -> Bool { if case .summary = waiting.entry.event { true } else { false } }

    @Test func theFirstTenInTenSecondsAreSingleAndTheRestIsOneCount() {
        var events = WaitingEvents()
        for run in 1...25 { events.record(Self.read(Int64(run)), at: Self.start + Int64(run)) }
        let singles = events.takeEntries(at: Self.start + 1000, isLast: false)
        #expect(singles.map { Self.members($0)["of_run"] } == (1...10).map { .integer($0) })
        let during = events.takeEntries(at: Self.start + 10_000, isLast: false)
        #expect(during.isEmpty)
        let summaries = events.takeEntries(at: Self.start + 10_001, isLast: false)
        #expect(summaries.count == 1)
        #expect(summaries.first.flatMap { Self.members($0)["count"] } == .integer(15))
        #expect(summaries.first.flatMap { Self.members($0)["of_run"] } == .array((11...25).map { .integer($0) }))
        #expect(summaries.first.flatMap { Self.members($0)["source_ip"] } == .string("192.0.2.7"))
        #expect(events.count == 0)
    }

    @Test func afterTheWindowEventsAreSingleAgain() {
        var events = WaitingEvents()
        for _ in 1...20 { events.record(Self.read(1), at: Self.start) }
        _ = events.takeEntries(at: Self.start + 10_000, isLast: false)
        events.record(Self.read(2), at: Self.start + 10_001)
        let later = events.takeEntries(at: Self.start + 10_002, isLast: false)
        #expect(later.map(Self.isSummary) == [false])
    }

    @Test func kindsAndUsersAreCountedApart() {
        var events = WaitingEvents()
        for user in ["ana", "budi"] {
            let principal = Principal(user: user, sourceIP: "192.0.2.7")
            for event in [AuditEvent.historyRead(.runs), .runRefused(.busy)] {
                for _ in 1...11 { events.record(WaitingEntry(AuditEntry(event, by: principal), at: 0), at: Self.start) }
            }
        }
        let all = events.takeEntries(at: Self.start, isLast: true)
        #expect(all.filter { !Self.isSummary($0) }.count == 40)
        #expect(all.filter(Self.isSummary).allSatisfy { $0.tally.count == 1 })
        #expect(all.filter(Self.isSummary).count == 4)
    }

    @Test func aSlash64IsOneNetwork() {
        var events = WaitingEvents()
        for host in 1...30 { events.record(Self.read(1, from: "2001:db8:0:1::\(host)"), at: Self.start) }
        let all = events.takeEntries(at: Self.start + 10_000, isLast: false)
        #expect(all.count == 11)
        #expect(all.last.flatMap { Self.members($0)["source_ip"] } == .string("2001:db8:0:1::/64"))
        #expect(all.last?.tally.count == 20)
    }

    @Test func aUserHasFourNetworksAndAllOthersShareOneWindow() {
        var events = WaitingEvents()
        for network in 1...100 { for _ in 1...2 { events.record(Self.read(1, from: "192.0.2.\(network)"), at: Self.start) } }
        let all = events.takeEntries(at: Self.start + 10_000, isLast: false)
        // Two each from four networks, ten from the shared window, and that window's count without an address.
        #expect(all.filter { !Self.isSummary($0) }.count == 18)
        #expect(all.filter(Self.isSummary).map(\.tally.count) == [182])
        #expect(all.last.flatMap { Self.members($0)["source_ip"] } == .null)
    }

    @Test func eventsBeforeAuthenticationHaveABudgetOverAllAddresses() {
        var events = WaitingEvents()
        let minute = Self.start / 60_000 * 60_000
        for network in 1...60 { for _ in 1...3 { events.record(Self.read(1, by: nil, from: "192.0.2.\(network)"), at: minute) } }
        let singles = events.takeEntries(at: minute, isLast: false)
        #expect(singles.count == 48)
        let summaries = events.takeEntries(at: minute + 20_000, isLast: false)
        #expect(summaries.count == 8)
        // The next minute has room for the counts that waited.
        let later = events.takeEntries(at: minute + 60_000, isLast: false)
        #expect((singles + summaries + later).reduce(0) { $0 + $1.tally.count } == 180)
        #expect(events.count == 0)
    }

    @Test func theLastCountsThatFindNoRoomAreOneEntryOfTheirKind() {
        var events = WaitingEvents()
        for network in 1...60 {
            let nobody = Principal(sourceIP: "192.0.2.\(network)")
            for event in [AuditEvent.historyRead(.runs), .authFailed(reason: "expired"), .accessDenied(path: "/"), .runRefused(.busy)] {
                for _ in 1...3 { events.record(WaitingEntry(AuditEntry(event, by: nobody), at: 0), at: Self.start) }
            }
        }
        let all = events.takeEntries(at: Self.start, isLast: true)
        #expect(all.count <= EntryBudget.perMinute)
        #expect(all.reduce(0) { $0 + $1.tally.count } == 720)
        #expect(events.count == 0)
    }

    @Test func whatCannotBeWrittenWaitsAndIsCountedWhereTooMuchWaits() {
        var events = WaitingEvents()
        for run in 1...3000 { events.record(Self.read(1, by: "user\(run % 500)"), at: Self.start) }
        events.putBack(events.takeEntries(at: Self.start, isLast: false), at: Self.start)
        #expect(events.count == 3000)
        let singles = events.takeEntries(at: Self.start, isLast: false)
        #expect(singles.count == WaitingEvents.maximumEntries)
        let rest = events.takeEntries(at: Self.start + 10_000, isLast: false)
        #expect(rest.allSatisfy(Self.isSummary))
        #expect((singles + rest).reduce(0) { $0 + $1.tally.count } == 3000)
    }

    @Test func aSettingThatWasNotRecordedKeepsItsMembers() {
        var events = WaitingEvents()
        events.add(WaitingEntry(AuditEntry(.settingsChanged(.reloaded, changed: ["PORT"], needRestart: [])), at: 0))
        let entry = events.takeEntries(at: Self.start, isLast: false).first
        #expect(entry.flatMap { Self.members($0)["changed"] } == .array([.string("PORT")]))
    }

    /// Singles and counts add up to the events, whatever happens in whatever order, and each run that was read is named.
    @Test(arguments: 0..<200) func nothingIsLostOrCountedTwice(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var events = WaitingEvents()
        var (now, taken) = (Self.start, Int64(0))
        var written: [WaitingEntry] = []
        var runs: Set<Int64> = []
        let users: [String?] = [nil, nil, "ana"] + (0..<600).map { "user\($0)" }
        let usersHere = [5, users.count].randomElement(using: &random) ?? 5
        for _ in 0..<Int.random(in: 1...60, using: &random) {
            switch Int.random(in: 0..<10, using: &random) {
            case 0: now += Int64.random(in: 0...70_000, using: &random)
            case 1: written += events.takeEntries(at: now, isLast: false)
            case 2: events.putBack(events.takeEntries(at: now, isLast: Bool.random(using: &random)), at: now)
            default:
                let user = users[Int.random(in: 0..<usersHere, using: &random)]
                for _ in 0..<Int.random(in: 1...200, using: &random) {
                    let run = Int64.random(in: 1...300, using: &random)
                    let address =
                        Bool.random(using: &random)
                        ? "192.0.2.\(Int.random(in: 1...200, using: &random))" : "2001:db8:0:\(Int.random(in: 1...9, using: &random))::7"
                    events.record(Self.read(run, by: user, from: address), at: now)
                    runs.insert(run)
                    taken += 1
                }
            }
            #expect(events.count + written.reduce(0) { $0 + $1.tally.count } == taken)
        }
        written += events.takeEntries(at: now, isLast: true)
        #expect(events.count == 0)
        #expect(written.reduce(0) { $0 + Self.events(in: $1) } == taken)
        #expect(Set(written.flatMap(Self.runs)) == runs)
    }

    /// How many events an entry stands for, by what it says.
    private static func events(in waiting: WaitingEntry) -> Int64 {
        if case .integer(let count)? = members(waiting)["count"] { count } else { 1 }
    }

    private static func runs(in waiting: WaitingEntry) -> [Int64] {
        switch members(waiting)["of_run"] {
        case .integer(let run)?: [run]
        case .array(let runs)?: runs.compactMap { if case .integer(let run) = $0 { run } else { nil } }
        default: []
        }
    }
}
