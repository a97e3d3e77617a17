import JSON
import Migrations
import RunProtocol
import SQLite
import Testing

@testable import History

/// Migration 3, from a filled database of migration 2.
@Suite struct KnownValuesTests {
    private static let tables = ["run_started", "run_finished", "run_output"]

    private let connection: Connection

    /// Three runs that ended, one that runs, numbers with a gap as only somebody else could make it.
    init() throws {
        connection = try HistorySchema.fresh(migrations: 2)
        for (run, start) in [(1, SampleRun.start), (2, SampleRun.bareStart), (7, SampleRun.start), (9, SampleRun.start)] as [(Int64, RunStart)] {
            try RunTable.started.insert(start.members, run: run, connection)
        }
        for (run, finish) in [(1, SampleRun.finish), (2, SampleRun.bareFinish), (7, SampleRun.finish)] as [(Int64, RunFinish)] {
            try HistoryStore.insert(finish, run, connection)
        }
    }

    @Test func everyRowStaysAsItIs() throws {
        let before = try content()
        #expect(before.count == 10)
        try HistorySchema.migrate(connection)
        #expect(try content() == before)
        let runs = try connection.query("SELECT id, outcome FROM runs ORDER BY id") { [$0.integer(0).map(String.init), $0.text(1)] }
        #expect(runs == [["1", "failed"], ["2", "interrupted"], ["7", "failed"], ["9", "running"]])
    }

    @Test func theSchemaIsThatOfANewDatabase() throws {
        try HistorySchema.migrate(connection)
        let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"
        func schema(_ connection: Connection) throws -> [[String?]] { try connection.query(sql) { row in (0..<4).map { row.text($0) } } }
        #expect(try schema(connection) == schema(HistorySchema.fresh()))
        #expect(try connection.query("PRAGMA integrity_check") { $0.text(0) } == ["ok"])
        #expect(try connection.query("PRAGMA foreign_key_check") { $0.text(0) } == [])
    }

    @Test func theGuardsAndTheForeignKeysHold() throws {
        try HistorySchema.migrate(connection)
        let before = try content()
        for table in ["run_started", "run_finished"] {
            #expect(throws: SQLiteError.self) { try connection.execute("DELETE FROM \(table)") }
            #expect(throws: SQLiteError.self) { try connection.execute("UPDATE \(table) SET id = id + 100") }
            #expect(throws: SQLiteError.self) { try connection.execute("INSERT OR REPLACE INTO \(table) SELECT * FROM \(table)") }
        }
        #expect(throws: SQLiteError.self, "an end needs a start") { try HistoryStore.insert(SampleRun.finish, 100, connection) }
        #expect(throws: SQLiteError.self, "an output needs an end") { try connection.execute("INSERT INTO run_output VALUES (9, x'00')") }
        #expect(try content() == before)
    }

    @Test func aDamagedRowIsCopiedAsItIs() throws {
        try connection.execute("PRAGMA ignore_check_constraints = ON")
        try connection.execute("DROP TRIGGER run_finished_update; UPDATE run_finished SET outcome = 'fine', output_truncated = 7 WHERE id = 2")
        try connection.execute("PRAGMA foreign_keys = OFF; DROP TRIGGER run_started_delete; DELETE FROM run_started WHERE id = 7")
        try connection.execute("PRAGMA ignore_check_constraints = OFF")
        let before = try content()
        try HistorySchema.migrate(connection)
        #expect(try content() == before)
        #expect(try connection.first("SELECT outcome FROM run_finished WHERE id = 2") { $0.text(0) } == "fine")
    }

    @Test func aRowMayHaveTheKnownValuesOnly() throws {
        try HistorySchema.migrate(connection)
        var run: Int64 = 100
        for trigger in Requester.Trigger.allCases {
            for outcome in Outcome.ends {
                run += 1
                var (start, finish) = (SampleRun.start, SampleRun.finish)
                start.requester.trigger = trigger
                finish.outcome = outcome
                try RunTable.started.insert(start.members, run: run, connection)
                try HistoryStore.insert(finish, run, connection)
            }
        }
        try RunTable.started.insert(SampleRun.start.members, run: 200, connection)
        for outcome in [Outcome.running.rawValue, "", "Succeeded", "fine"] {
            let members = SampleRun.finish.members.map { $0.name == "outcome" ? .init("outcome", .string(outcome)) : $0 }
            let error = #expect(throws: SQLiteError.self) { try RunTable.finished.insert(members, run: 200, connection) }
            #expect(error?.message.contains("unknown outcome") == true)
        }
        let members = SampleRun.start.members.map { $0.name == "trigger" ? .init("trigger", .string("timer")) : $0 }
        let error = #expect(throws: SQLiteError.self) { try RunTable.started.insert(members, run: 201, connection) }
        #expect(error?.message.contains("unknown trigger") == true)
    }

    /// Databases hold these checksums: a change of a released migration makes every one of them unusable.
    @Test func releasedMigrationsStayAsTheyAre() throws {
        let released = [
            "0c8fe9d7484a55c2d3e399f36edc1fd16ddf42f8a643103c799ae4d225949348",
            "a274aed8b7ba25f891fdfcd101eb3a60aa9374280076efcc1c69ac6f2d8a56c5",
        ]
        #expect(try HistorySchema.migrations.prefix(2).map { try $0.checksum() } == released)
    }

    /// Every row with its rowid and the types of its values.
    private func content() throws -> [String] {
        try Self.tables.flatMap { table in
            let columns = try connection.query("SELECT name FROM pragma_table_info('\(table)')") { "quote(\"\($0.text(0) ?? "")\")" }
            return try connection.query("SELECT rowid || ': ' || \(columns.joined(separator: " || ', ' || ")) FROM \(table) ORDER BY rowid") {
                "\(table) \($0.text(0) ?? "")"
            }
        }
    }
}
