import AuditLog
import JSON
import SQLite
import TestSupport
import Testing

@testable import History

@Suite struct TableComparisonTests {
    /// What is said of a row whose entry lacks some keys.
    private func damage(_ start: RunStart, without keys: Set<String>) throws -> [String] {
        let folder = try TemporaryFolder()
        let connection = try Connection(path: folder("a.db"), mode: .create)
        try HistorySchema.migrate(connection)
        try RunTable.started.insert(start.members, run: 1, connection)
        let members = start.members.filter { !keys.contains($0.name) }
        let leaf = try Leaf(.runStarted, at: LeafTime(microseconds: 0), [.init("run", .integer(1))] + members)
        try connection.execute("INSERT INTO leaf (entry, bytes) VALUES (0, ?)", [.blob(leaf.bytes)])
        try connection.execute("INSERT INTO run_entry (run, entry) VALUES (1, 0)")
        var comparison = TableComparison(reader: try HistoryReader(opening: folder("a.db")))
        try comparison.add([(0, leaf)])
        return comparison.report.damage.first.map(\.text)
    }

    /// A later version may record a fact that earlier entries do not have. Their rows hold null then.
    @Test func aFactThatTheEntryDoesNotHaveIsNullInItsRow() throws {
        #expect(try damage(SampleRun.start, without: []) == [])
        #expect(try damage(SampleRun.bareStart, without: ["script_uid", "boot_id"]) == [])
        #expect(try damage(SampleRun.start, without: ["script_uid"]) == ["run 1: script_uid in run_started is not what entry 0 says"])
        #expect(try damage(SampleRun.start, without: ["user"]) == ["run 1: user in run_started is not what entry 0 says"])
    }
}
