import AuditLog
import RunProtocol
import SQLite
import TestSupport
import Testing

@testable import History
@testable import SQLite

/// How SQLite executes the statements of the API and of a run. None may cost more because the history is longer, except the
/// ones named here.
@Suite struct QueryPlanTests {
    private let folder: TemporaryFolder
    private let store: HistoryStore

    /// A few runs, and one that is under way.
    init() throws {
        folder = try TemporaryFolder()
        store = try HistoryStore(
            opening: folder("history.sqlite"), reserve: DiskReserve(in: folder.path, outputLimit: 1000),
            audit: AuditSettings(origin: "plan.example/sync-history", keyFile: folder("audit.key"), pinned: nil, checkpointFile: nil))
        for run in 1...3 as ClosedRange<Int64> {
            #expect(try store.recordStart(SampleRun.start).run == run)
            if run < 3 { try store.recordFinish(SampleRun.finish, of: run) }
        }
        try store.record(.serviceStopped)
        try store.redactOutput(of: 1, by: Principal(user: "ana"), reason: "names")
    }

    /// Statements that read more of a longer history, and why that is no harm. By their beginning.
    private static let exceptions = [
        "SELECT count(*) FROM run_started": "once in a process: counts the cells of an index",
        "SELECT count(*) FROM run_finished": "once in a process: counts the cells of an index",
        "SELECT count(*) FROM sqlite_schema": "does not grow with the history",
        "SELECT id FROM run_started ORDER BY id": "once in a history: takes in the runs from before the audit log",
    ]

    private func plan(of sql: String) throws -> [String] {
        let values = Array(repeating: Value.null, count: sql.utf8.count { $0 == UInt8(ascii: "?") })
        return try store.reader.use { connection in try connection.query("EXPLAIN QUERY PLAN \(sql)", values) { $0.text(3) ?? "" } }
    }

    /// A scan of a table that ends at its first row, or within a subquery's limit, is none. A temporary B-tree sorts what was
    /// found, so all of it must be found before the first row.
    private func isBounded(_ line: String, _ sql: String) -> Bool {
        if line.contains("TEMP B-TREE") { return false }
        guard line.hasPrefix("SCAN") else { return true }
        return line.hasPrefix("SCAN (subquery") || line == "SCAN CONSTANT ROW" || sql.hasSuffix("DESC LIMIT 1")
            || sql.hasSuffix("ORDER BY entry LIMIT 1")
    }

    private func expectBounded(_ sql: String) throws {
        guard sql.hasPrefix("SELECT"), !Self.exceptions.keys.contains(where: sql.hasPrefix) else { return }
        let plan = try plan(of: sql)
        #expect(!plan.isEmpty && plan.allSatisfy { isBounded($0, sql) }, "\(sql)\n\(plan.joined(separator: "\n"))")
    }

    private static func filters() -> [RunFilter] {
        var filters = [RunFilter()]
        func vary(_ change: (inout RunFilter) -> Void) {
            filters += filters.map { filter in
                var filter = filter
                change(&filter)
                return filter
            }
        }
        vary { $0.user = "rina" }
        vary { $0.trigger = .api }
        vary { $0.since = 0 }
        vary { $0.until = 4_000_000_000_000 }
        vary { $0.before = 3 }
        return filters
            + filters.flatMap { filter in
                Outcome.allCases.map { outcome in
                    var filter = filter
                    filter.outcome = outcome
                    return filter
                }
            }
    }

    @Test func eachPageOfRunsIsFoundByItsKeys() throws {
        let filters = Self.filters()
        #expect(filters.count == 32 * (1 + Outcome.allCases.count))
        for filter in filters {
            for source in filter.sources {
                try expectBounded(filter.page(from: source).sql)
                try expectBounded(filter.count(in: source).sql)
            }
            _ = try store.reader.runs(filter)
        }
    }

    /// SQLite takes the index that the page counts on.
    @Test func eachSourceHasItsIndex() throws {
        var filter = RunFilter()
        (filter.user, filter.outcome, filter.trigger, filter.since) = ("rina", .failed, .api, 0)
        #expect(filter.sources == [.user, .outcome, .trigger])
        for (source, index) in [(.user, "run_started_by_user"), (.outcome, "run_finished_by_outcome"), (.trigger, "run_started_by_trigger")]
            as [(RunFilter.Source, String)]
        {
            for sql in [filter.page(from: source).sql, filter.count(in: source).sql] {
                #expect(try plan(of: sql).contains { $0.hasPrefix("SEARCH") && $0.contains(" \(index) ") }, "\(sql)")
            }
        }
        for event in Event.allCases where HistoryIndexes.has(event) {
            #expect(try plan(of: EntryPage.search(event).sql).contains { $0.hasPrefix("SEARCH leaf USING INDEX leaf_by_event") }, "\(event)")
        }
    }

    /// Asks everything that a client, a run and the start of the service ask, and looks at the statements that were kept.
    @Test func everythingElseIsFoundByItsKeys() throws {
        var statements: Set<String> = []
        func ask<Result>(_ question: (HistoryReader) throws -> Result) throws {
            let reader = try HistoryReader(opening: store.path)
            _ = try question(reader)
            statements.formUnion(try reader.use { $0.idle.entries.map(\.sql) })
        }
        for event in [nil] + Event.allCases { try ask { try $0.entries(of: event, before: .max, limit: 50) } }
        try ask { try $0.run(1) }
        try ask { try $0.why(1) }
        try ask { try $0.lastStart() }
        try ask { try $0.storedOutputBytes(of: 2) }
        try ask { try $0.output(of: 2, offset: 0, count: 10) }
        try ask { try $0.receipt(of: 2) }
        try ask { try $0.newestCheckpoint() }
        try ask { try $0.hasBegun() }
        try ask { try $0.logKeys() }
        try ask { try $0.unfinishedRuns() }
        try ask { reader in
            var filter = RunFilter()
            filter.since = 0
            return try reader.runs(filter)
        }
        try ask { reader in try reader.read { try LastRun.read($0) } }
        try ask { reader in try reader.read { try Acceptance($0, key: store.log.signer.verifierKey) } }
        statements.formUnion(try store.write { $0.idle.entries.map(\.sql) })
        #expect(statements.count > 25)
        for sql in statements { try expectBounded(sql) }
    }
}
