import RunProtocol
import SQLite
import Testing

@testable import History

/// The SQL of filters and pages against a database in memory.
@Suite struct RunPageTests {
    private static let count: Int64 = 40
    private static let hour: Int64 = 3_600_000

    private let connection: Connection

    /// Run N starts N hours after 1970. Every fourth is by "o'brien", every fifth by the command line; the last one runs; the
    /// others take the outcomes in turn.
    init() throws {
        connection = try HistorySchema.fresh()
        for run in 1...Self.count {
            var start = SampleRun.start
            start.startedAt = run * Self.hour
            if run % 4 == 0 { start.requester.user = "o'brien" }
            if run % 5 == 0 { start.requester.trigger = .cli }
            try RunTable.started.insert(start.members, run: run, connection)
            guard run < Self.count else { continue }
            var finish = SampleRun.finish
            finish.outcome = Outcome.ends[Int(run) % Outcome.ends.count]
            try HistoryStore.insert(finish, run, connection)
        }
    }

    /// As ``HistoryReader/runs(_:)`` does it, in steps of a few rows.
    private func list(_ filter: RunFilter, rows: Int64 = 7) throws -> (runs: [Int64], next: Int64?, steps: Int) {
        var (page, steps) = (RunPage(filter), 1)
        while try page.step(of: rows, connection) { steps += 1 }
        return (page.runs.map(\.id), page.next, steps)
    }

    private func matching(_ condition: (Int64) -> Bool) -> [Int64] { (1...Self.count).reversed().filter(condition) }

    @Test func pagesJoinToTheWholeList() throws {
        for (limit, rows) in [(1, 1), (7, 3), (10, 100), (39, 7), (40, 7), (50, 1)] as [(Int, Int64)] {
            var (runs, filter): ([Int64], RunFilter) = ([], RunFilter(limit: limit))
            repeat {
                let page = try list(filter, rows: rows)
                #expect(page.runs.count <= limit)
                runs += page.runs
                filter.before = page.next
            } while filter.before != nil
            #expect(runs == matching { _ in true }, "\(limit) a page, \(rows) a step")
        }
    }

    @Test func aStepExaminesNoMoreThanItsRows() throws {
        #expect(try list(RunFilter(limit: 50), rows: 7).steps == 6)
        var filter = RunFilter(limit: 50)
        filter.user = "o'brien"
        #expect(try list(filter, rows: 7).steps == 2, "the index knows the ten runs of one user")
    }

    @Test func eachFilterNarrowsTheList() throws {
        func expect(_ expected: [Int64], _ change: (inout RunFilter) -> Void) throws {
            var filter = RunFilter()
            change(&filter)
            let page = try list(filter)
            #expect(page.runs == expected)
            #expect(page.next == nil)
        }
        try expect(matching { $0 % 4 == 0 }) { $0.user = "o'brien" }
        try expect([]) { $0.user = "' OR 1=1 --" }
        try expect(matching { $0 % 5 == 0 }) { $0.trigger = .cli }
        try expect(matching { $0 % 5 != 0 }) { $0.trigger = .api }
        try expect([Self.count]) { $0.outcome = .running }
        for (index, outcome) in Outcome.ends.enumerated() {
            try expect(matching { $0 < Self.count && Int($0) % Outcome.ends.count == index }) { $0.outcome = outcome }
        }
        try expect(matching { $0 >= 11 }) { $0.since = 11 * Self.hour }
        try expect(matching { $0 < 11 }) { $0.until = 11 * Self.hour }
        try expect([11]) { ($0.since, $0.until) = (11 * Self.hour, 11 * Self.hour + 1) }
        try expect(matching { $0 < 9 }) { $0.before = 9 }
        try expect([]) { $0.before = 1 }
        try expect([]) { $0.before = .min }
        try expect([20]) {
            ($0.user, $0.trigger, $0.before, $0.since, $0.until) = ("o'brien", .cli, 40, 15 * Self.hour, 25 * Self.hour)
        }
    }

    @Test func filtersTogetherGiveWhatTheyGiveOneByOne() throws {
        for (user, outcome, trigger) in [
            ("o'brien", .failed, nil), ("o'brien", nil, .cli), (nil, .succeeded, .cli), ("o'brien", .timedOut, .api), ("rina", .running, .cli),
        ] as [(String?, Outcome?, Requester.Trigger?)] {
            for rows in [1, 3, 100] as [Int64] {
                func listed(_ change: (inout RunFilter) -> Void) throws -> Set<Int64> {
                    var filter = RunFilter()
                    change(&filter)
                    return Set(try list(filter, rows: rows).runs)
                }
                let together = try listed { ($0.user, $0.outcome, $0.trigger) = (user, outcome, trigger) }
                let each = try [listed { $0.user = user }, listed { $0.outcome = outcome }, listed { $0.trigger = trigger }]
                #expect(together == each[0].intersection(each[1]).intersection(each[2]), "\(String(describing: (user, outcome, trigger)))")
            }
        }
    }

    /// No index serves both conditions, so a page ends early. The next one goes on where it ended.
    @Test func aPageExaminesABoundedNumberOfRuns() throws {
        let connection = try HistorySchema.fresh()
        let many = 3 * RunPage.mostExamined
        try RunTable.started.insert(SampleRun.start.members, run: 1, connection)
        try connection.execute(
            """
            WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < \(many)) \
            INSERT INTO run_started (id, user, "trigger", request_id, started_at, script_path) \
            SELECT i, iif(i % 2, 'odd', 'even'), iif(i % 2, 'api', 'cli'), '', '2026', '/x' FROM n
            """)
        var filter = RunFilter()
        (filter.user, filter.trigger) = ("odd", .cli)
        var (runs, pages): ([RunRecord], Int64) = ([], 0)
        repeat {
            var page = RunPage(filter)
            while try page.step(of: 1000, connection) {}
            #expect(page.runs.isEmpty)
            (runs, pages) = (runs + page.runs, pages + 1)
            filter.before = page.next
        } while filter.before != nil
        #expect(pages == 2, "an index finds half of the runs")
        (filter.user, filter.trigger) = ("rina", .api)
        var page = RunPage(filter)
        while try page.step(of: 1000, connection) {}
        #expect(page.runs.map(\.id) == [1] && page.next == nil, "the index of the user has one run")
    }

    @Test func theLastStartIsOfARunWhoseScriptBeganItsWork() throws {
        // The expected answer for each outcome, not taken from its traits.
        let began: Set<Outcome> = [.succeeded, .failed, .timedOut, .cancelled, .interrupted]
        let newest = (1..<Self.count).reversed().first { began.contains(Outcome.ends[Int($0) % Outcome.ends.count]) }
        let found = try HistoryReader.lastStart(connection)
        #expect(found?.run == newest)
        #expect(found?.at == Timestamp.text((newest ?? 0) * Self.hour))
        for outcome in [Outcome.alreadyRunning, .startFailed] {
            let connection = try HistorySchema.fresh()
            var finish = SampleRun.finish
            finish.outcome = outcome
            try RunTable.started.insert(SampleRun.start.members, run: 1, connection)
            try HistoryStore.insert(finish, 1, connection)
            #expect(try HistoryReader.lastStart(connection) == nil)
        }
    }
}
