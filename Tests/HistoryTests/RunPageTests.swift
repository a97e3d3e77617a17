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
        var (page, steps) = (RunPage(filter), 0)
        while !page.isFull, let step = try page.step(of: rows, connection) {
            page.add(step)
            steps += 1
        }
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
