import Migrations
import SQLite
import TestSupport
import Testing

@Suite struct MigratorTests {
    static let applicationID: Int32 = 0x5359_4E43
    static let now = "2026-01-02T03:04:05.678Z"
    static let migrations = [
        Migration(number: 1, name: "people", sql: "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT) STRICT;"),
        Migration(
            number: 2, name: "ada",
            sql: """
                ALTER TABLE people ADD COLUMN born INTEGER;
                INSERT INTO people (name, born) VALUES ('Ada', 1815);
                """),
        Migration(number: 3, name: "index", sql: "CREATE INDEX people_born ON people (born)"),
    ]

    let folder: TemporaryFolder
    let migrator = Migrator(applicationID: applicationID, migrations: migrations)

    init() throws {
        folder = try TemporaryFolder()
    }

    func migrator(upTo count: Int) -> Migrator {
        Migrator(applicationID: Self.applicationID, migrations: Array(Self.migrations.prefix(count)))
    }

    @Test func checksumIsSHA256InHexadecimal() throws {
        // FIPS 180-4, example of one block.
        #expect(
            try Migration(number: 1, name: "", sql: "abc").checksum()
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func freshDatabaseGetsEverything() throws {
        let connection = try folder.connect()
        let before = try migrator.status(of: connection)
        #expect(before.applied.isEmpty)
        #expect(before.pending == Self.migrations)
        #expect(try folder.sqlite3("SELECT count(*) FROM sqlite_schema") == "0")

        #expect(try migrator.apply(to: connection, now: Self.now) == Self.migrations)

        let after = try migrator.status(of: connection)
        #expect(after.pending.isEmpty)
        #expect(after.applied.map(\.number) == [1, 2, 3])
        #expect(after.applied.map(\.name) == ["people", "ada", "index"])
        #expect(after.applied.map(\.checksum) == (try Self.migrations.map { try $0.checksum() }))
        #expect(after.applied.allSatisfy { $0.appliedAt == Self.now })

        #expect(try folder.sqlite3("PRAGMA application_id") == String(Self.applicationID))
        #expect(try folder.sqlite3("PRAGMA integrity_check") == "ok")
        #expect(try folder.sqlite3("PRAGMA journal_mode") == "delete")
        #expect(try folder.sqlite3("SELECT name, born FROM people") == "Ada|1815")
        #expect(try folder.sqlite3("SELECT strict FROM pragma_table_list WHERE name = 'schema_migrations'") == "1")
        connection.close()
        #expect(try folder.content().keys.sorted() == ["a.db"])
    }

    @Test func applyingAgainChangesNothing() throws {
        let connection = try folder.connect()
        _ = try migrator.apply(to: connection, now: Self.now)
        let before = try folder.sqlite3(".dump")
        #expect(try migrator.apply(to: connection, now: "2030-01-01T00:00:00.000Z") == [])
        #expect(try folder.sqlite3(".dump") == before)
    }

    @Test func newMigrationsFollowTheOldOnes() throws {
        let connection = try folder.connect()
        #expect(try migrator(upTo: 1).apply(to: connection, now: Self.now).map(\.number) == [1])
        #expect(try migrator.status(of: connection).pending.map(\.number) == [2, 3])
        #expect(try migrator.apply(to: connection, now: "2026-02-02T00:00:00.000Z").map(\.number) == [2, 3])
        #expect(
            try folder.sqlite3("SELECT number, applied_at FROM schema_migrations") == """
                1|\(Self.now)
                2|2026-02-02T00:00:00.000Z
                3|2026-02-02T00:00:00.000Z
                """)
    }

    @Test func statusNeedsNoRightToWrite() throws {
        _ = try migrator(upTo: 2).apply(to: folder.connect(), now: Self.now)
        let status = try migrator.status(of: folder.connect(.readOnly))
        #expect(status.applied.count == 2)
        #expect(status.pending.map(\.number) == [3])
    }

    @Test func nothingToApplyNeedsNoLock() throws {
        _ = try migrator.apply(to: folder.connect(), now: Self.now)
        let writer = try folder.connect()
        try writer.transaction {
            let other = try folder.connect(busyTimeoutMilliseconds: 20)
            let applied = try migrator.apply(to: other, now: Self.now)
            #expect(applied.isEmpty)
            let status = try migrator.status(of: other)
            #expect(status.applied.count == 3)
        }
    }

    @Test(arguments: [
        "UPDATE schema_migrations SET checksum = 'x' WHERE number = 1", "DELETE FROM schema_migrations",
        "INSERT OR REPLACE INTO schema_migrations VALUES (1, 'people', 'x', 'y')",
        "REPLACE INTO schema_migrations VALUES (3, 'people', 'x', 'y')",
    ])
    func recordIsAppendOnlyForOtherProgramsToo(_ sql: String) throws {
        _ = try migrator.apply(to: folder.connect(), now: Self.now)
        let before = try folder.sqlite3(".dump")
        #expect(try folder.sqlite3("PRAGMA recursive_triggers = OFF; \(sql)").contains("append-only"))
        #expect(try folder.sqlite3(".dump") == before)
    }

    @Test func failedMigrationLeavesNothingHalfDone() throws {
        let broken = Migration(number: 3, name: "broken", sql: "CREATE TABLE made (a); INSERT INTO nowhere VALUES (1);")
        let migrator = Migrator(
            applicationID: Self.applicationID, migrations: Array(Self.migrations.prefix(2)) + [broken])
        let connection = try folder.connect()
        let error = migrationError { _ = try migrator.apply(to: connection, now: Self.now) }
        guard case .database(let cause) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(cause.message == "no such table: nowhere")
        #expect(try folder.sqlite3("SELECT count(*) FROM sqlite_schema; PRAGMA application_id") == "0\n0")

        // The same on a database that has a part already.
        _ = try self.migrator(upTo: 1).apply(to: connection, now: Self.now)
        let before = try folder.sqlite3(".dump")
        #expect(migrationError { _ = try migrator.apply(to: connection, now: Self.now) } != nil)
        #expect(try folder.sqlite3(".dump") == before)
        // And the connection can still be used.
        #expect(try self.migrator.apply(to: connection, now: Self.now).map(\.number) == [2, 3])
    }

    @Test func severalAtOnceApplyEachMigrationOnce() async throws {
        let folder = folder
        // Long enough that all have seen an empty database before the first of them is done.
        let long = """
            CREATE TABLE numbers (n INTEGER) STRICT;
            WITH RECURSIVE count (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < 300000)
            INSERT INTO numbers SELECT n FROM count;
            """
        let migrator = Migrator(
            applicationID: Self.applicationID,
            migrations: Self.migrations + [Migration(number: 4, name: "long", sql: long)])
        let gate = Gate(for: 8)
        let applied = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    try await onOwnThread {
                        let connection = Result { try folder.connect() }
                        gate.pass()
                        return try migrator.apply(to: connection.get(), now: Self.now).count
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(applied.sorted() == [0, 0, 0, 0, 0, 0, 0, 4])
        #expect(try folder.sqlite3("SELECT count(*) FROM people; PRAGMA integrity_check") == "1\nok")
    }

    @Test func writerWhoDoesNotLetGoIsTold() throws {
        let writer = try folder.connect()
        try writer.transaction {
            let other = try folder.connect(busyTimeoutMilliseconds: 20)
            let error = migrationError { _ = try migrator.apply(to: other, now: Self.now) }
            guard case .database(let cause) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(cause.isBusy)
        }
    }

    @Test func walBecomesARollbackJournal() throws {
        _ = try migrator(upTo: 1).apply(to: folder.connect(), now: Self.now)
        #expect(try folder.sqlite3("PRAGMA journal_mode = WAL") == "wal")
        let connection = try folder.connect()
        #expect(try migrator.apply(to: connection, now: Self.now).map(\.number) == [2, 3])
        #expect(try folder.sqlite3("PRAGMA journal_mode") == "delete")

        // Also where nothing is pending.
        connection.close()
        #expect(try folder.sqlite3("PRAGMA journal_mode = WAL") == "wal")
        #expect(try migrator.apply(to: folder.connect(), now: Self.now) == [])
        #expect(try folder.sqlite3("PRAGMA journal_mode; PRAGMA integrity_check") == "delete\nok")
    }

    @Test func walInUseByOthersIsAnError() throws {
        _ = try migrator(upTo: 1).apply(to: folder.connect(), now: Self.now)
        #expect(try folder.sqlite3("PRAGMA journal_mode = WAL") == "wal")
        let other = try folder.connect()
        _ = try other.query("SELECT * FROM people") { $0.text(1) }
        let connection = try folder.connect(busyTimeoutMilliseconds: 20)
        guard case .database(let cause) = migrationError({ _ = try migrator.apply(to: connection, now: Self.now) })
        else { return }
        #expect(cause.isBusy)
        #expect(try migrator.status(of: connection).applied.count == 1)
    }
}
