import JSON
import SQLite
import TestSupport
import Testing

@testable import History

@Suite struct StartTimesTests {
    private let connection: Connection

    init() throws { connection = try HistorySchema.fresh() }

    private func insert(_ run: Int64, at time: String) throws {
        let members = SampleRun.start.members.map { $0.name == "started_at" ? .init("started_at", .string(time)) : $0 }
        try RunTable.started.insert(members, run: run, connection)
    }

    private func times() throws -> StartTimes {
        var times = StartTimes()
        while try times.readOn(connection) {}
        return times
    }

    /// Run N starts N hours after the beginning of 1970.
    @Test func aClockThatGoesForwardGivesOneNarrowRange() throws {
        #expect(try times().ranges(since: "1", until: "3").isEmpty, "no runs")
        let marked = Int64(StartTimes.runsPerMark)
        let count = 10 * marked
        for run in 1...count { try insert(run, at: Timestamp.text(run * 3_600_000)) }
        let times = try times()
        for (since, until) in [(1, 2), (marked, marked + 1), (marked + 1, 3 * marked), (700, 800), (5, count), (count, count + 5)] {
            let ranges = times.ranges(since: Timestamp.text(since * 3_600_000), until: Timestamp.text(until * 3_600_000))
            #expect(ranges.count == 1)
            #expect(ranges[0].lowerBound <= since && ranges[0].lowerBound + marked >= since)
            #expect(ranges[0].upperBound >= min(until - 1, count) && ranges[0].upperBound <= until + marked)
        }
        #expect(times.ranges(since: nil, until: nil) == [1...count])
        #expect(times.ranges(since: "1980", until: nil).isEmpty)
        #expect(times.ranges(since: nil, until: "1970-01-01").isEmpty)
    }

    @Test func laterRunsAreReadOnly() throws {
        try insert(1, at: "2026-01")
        var times = try times()
        try insert(2, at: "2026-02")
        #expect(try !times.readOn(connection))
        #expect(times.last == 2)
        #expect(times.ranges(since: "2026-02", until: nil) == [1...2])
    }

    /// Against a list of all runs, with clocks that were set back and numbers that are missing.
    @Test func noRunIsOutsideOfTheRanges() throws {
        var random = SeededGenerator(seed: 11)
        var all: [(run: Int64, time: String)] = []
        var (run, time) = (Int64(0), 10_000)
        for _ in 0..<3000 {
            run += Int64.random(in: 1...3, using: &random)
            time += Int.random(in: 0...999, using: &random) == 0 ? -Int.random(in: 1...9000, using: &random) : Int.random(in: 0...9, using: &random)
            all.append((run, String(10_000 + time)))
            try insert(run, at: String(10_000 + time))
        }
        let times = try times()
        for _ in 0..<100 {
            let (since, until) = (String(Int.random(in: 15_000...40_000, using: &random)), String(Int.random(in: 15_000...40_000, using: &random)))
            let ranges = times.ranges(since: since, until: until)
            #expect(all.allSatisfy { run in run.time < since || run.time >= until || ranges.contains { $0.contains(run.run) } })
            #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.lowerBound > $1.upperBound }, "newest first")
        }
    }

    @Test func aClockThatJumpsAllTheTimeIsNotFollowed() throws {
        for run in 1...1500 as ClosedRange<Int64> { try insert(run, at: String(9999 - run)) }
        #expect(try times().ranges(since: "2026", until: nil) == [1...Int64.max])
    }
}
