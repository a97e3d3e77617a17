import Migrations
import SQLite
import TestSupport
import Testing

/// What the migrator must not touch, and what it says about it.
@Suite struct RefusalTests {
    static let applicationID = MigratorTests.applicationID
    static let now = MigratorTests.now

    let folder: TemporaryFolder
    let migrator = Migrator(applicationID: applicationID, migrations: MigratorTests.migrations)

    init() throws {
        folder = try TemporaryFolder()
    }

    /// The error of both calls, which must be one, and must leave every byte as it was.
    func refusal(_ migrator: Migrator, sourceLocation: SourceLocation = #_sourceLocation) throws -> MigrationError? {
        let before = try folder.content()
        let connection = try folder.connect(.readWrite)
        let first = migrationError(sourceLocation: sourceLocation) { _ = try migrator.status(of: connection) }
        let second = migrationError(sourceLocation: sourceLocation) {
            _ = try migrator.apply(to: connection, now: Self.now)
        }
        connection.close()
        #expect(first?.description == second?.description, sourceLocation: sourceLocation)
        #expect(try folder.content() == before, sourceLocation: sourceLocation)
        return second
    }

    @Test(
        arguments: [
            ("PRAGMA application_id = 77; CREATE TABLE letters (a)", 77),
            ("PRAGMA application_id = 77", 77),
            ("PRAGMA application_id = -1; CREATE TABLE letters (a)", -1),
            ("CREATE TABLE letters (a)", 0),
            ("CREATE TABLE schema_migrations (number, name, checksum, applied_at)", 0),
            ("CREATE VIEW v AS SELECT 1", 0),
            ("PRAGMA application_id = \(applicationID)", applicationID),
            ("PRAGMA application_id = \(applicationID); CREATE TABLE letters (a)", applicationID),
            ("PRAGMA application_id = \(applicationID); CREATE VIEW schema_migrations AS SELECT 1", applicationID),
        ] as [(String, Int32)])
    func whatIsNotOurs(sql: String, found: Int32) throws {
        try folder.sqlite3(sql)
        guard case .notOurs(let applicationID) = try refusal(migrator) else {
            Issue.record("not refused as somebody else's")
            return
        }
        #expect(applicationID == found)
        #expect(MigrationError.notOurs(applicationID: found).description.contains("choose another file"))
    }

    @Test func somebodyElsesWALStaysOne() throws {
        try folder.sqlite3("PRAGMA journal_mode = WAL; CREATE TABLE letters (a)")
        guard case .notOurs = migrationError({ _ = try migrator.apply(to: folder.connect(), now: Self.now) }) else {
            return
        }
        #expect(try folder.sqlite3("PRAGMA journal_mode") == "wal")
    }

    @Test func unknownMigration() throws {
        _ = try migrator.apply(to: folder.connect(), now: Self.now)
        let older = Migrator(applicationID: Self.applicationID, migrations: Array(MigratorTests.migrations.prefix(2)))
        let error = try refusal(older)
        guard case .unknown(3, "index") = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(
            error?.description == "The database has migration 3 (index), written by a newer version: "
                + "install that version or restore a backup.")
    }

    @Test func alteredMigration() throws {
        _ = try migrator.apply(to: folder.connect(), now: Self.now)
        var changed = MigratorTests.migrations
        changed[1] = Migration(number: 2, name: "ada", sql: changed[1].sql + " ")
        let error = try refusal(Migrator(applicationID: Self.applicationID, migrations: changed))
        guard case .altered(2, "ada", let expected, let found) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(expected == (try changed[1].checksum()))
        #expect(found == (try MigratorTests.migrations[1].checksum()))
        #expect(error?.description.contains("install the version that wrote it or restore a backup") == true)
    }

    @Test func lookalikeSQLIsAltered() throws {
        // Equal as Swift's strings, not as bytes.
        let applied = Migration(number: 1, name: "e", sql: "CREATE TABLE \"\u{E9}\" (a)")
        let lookalike = Migration(number: 1, name: "e", sql: "CREATE TABLE \"e\u{301}\" (a)")
        #expect(applied == lookalike)
        _ = try Migrator(applicationID: 5, migrations: [applied]).apply(to: folder.connect(), now: Self.now)
        guard case .altered = try refusal(Migrator(applicationID: 5, migrations: [lookalike])) else {
            Issue.record("not noticed")
            return
        }
    }

    @Test func gapInTheRecord() throws {
        _ = try migrator.apply(to: folder.connect(), now: Self.now)
        try folder.sqlite3(
            "DROP TRIGGER schema_migrations_refuse_delete; DELETE FROM schema_migrations WHERE number = 2")
        let error = try refusal(migrator)
        guard case .gap(2, 3) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.description.contains("records migration 3 where 2 should be: restore a backup") == true)
    }

    @Test(arguments: [Int64.min, -1, 0])
    func strangeNumberInTheRecord(_ number: Int64) throws {
        _ = try migrator.apply(to: folder.connect(), now: Self.now)
        try folder.sqlite3("INSERT INTO schema_migrations VALUES (\(number), 'x', 'x', 'x')")
        let error = try refusal(migrator)
        guard case .gap(1, Int(number)) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func recordOfAnotherShape() throws {
        try folder.sqlite3(
            """
            PRAGMA application_id = \(Self.applicationID);
            CREATE TABLE schema_migrations (number, name, checksum, applied_at);
            INSERT INTO schema_migrations VALUES ('one', x'00', NULL, 1.5);
            """)
        guard case .gap(1, 0) = try refusal(migrator) else {
            Issue.record("rows of other types were taken for a record")
            return
        }
        try folder.sqlite3("ALTER TABLE schema_migrations DROP COLUMN checksum")
        guard case .database = try refusal(migrator) else {
            Issue.record("a missing column was not noticed")
            return
        }
    }

    @Test(arguments: [[2], [1, 3], [1, 1], [2, 1], [0], [-1, 1]])
    func misnumberedListOfOurOwn(_ numbers: [Int]) throws {
        _ = try migrator.apply(to: folder.connect(), now: Self.now)
        let migrations = numbers.map { Migration(number: $0, name: "m", sql: "SELECT 1") }
        let error = try refusal(Migrator(applicationID: Self.applicationID, migrations: migrations))
        guard case .misnumbered(let expected, let found) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(numbers[expected - 1] == found)
        #expect(expected != found)
    }
}
