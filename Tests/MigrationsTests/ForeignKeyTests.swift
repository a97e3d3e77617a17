import Migrations
import SQLite
import Testing

/// A migration may rebuild a table that another refers to; afterwards foreign keys are enforced.
@Suite struct ForeignKeyTests {
    private static let first = Migration(
        number: 1, name: "first",
        sql: """
            CREATE TABLE parent (id INTEGER PRIMARY KEY) STRICT;
            CREATE TABLE child (id INTEGER PRIMARY KEY REFERENCES parent (id)) STRICT;
            INSERT INTO parent VALUES (1);
            INSERT INTO child VALUES (1);
            """)

    private let connection: Connection

    init() throws {
        connection = try Connection.inMemory()
        _ = try migrator(Self.first).apply(to: connection, now: "")
    }

    private func migrator(_ migrations: Migration...) -> Migrator { Migrator(applicationID: 7, migrations: migrations) }

    private func isEnforced() -> Bool { (try? connection.execute("INSERT INTO child VALUES (9)")) == nil }

    @Test func aTableCanBeRebuilt() throws {
        let rebuild = Migration(
            number: 2, name: "rebuild",
            sql: "DROP TABLE parent; CREATE TABLE parent (id INTEGER PRIMARY KEY, a TEXT) STRICT; INSERT INTO parent VALUES (1, 'a')")
        #expect(isEnforced())
        _ = try migrator(Self.first, rebuild).apply(to: connection, now: "")
        #expect(try connection.query("PRAGMA foreign_key_check") { $0.text(0) } == [])
        #expect(isEnforced())
    }

    @Test func afterAFailureTheyAreEnforced() throws {
        #expect(throws: MigrationError.self) {
            _ = try migrator(Self.first, Migration(number: 2, name: "wrong", sql: "DROP TABLE parent; nonsense")).apply(to: connection, now: "")
        }
        #expect(isEnforced())
        #expect(try connection.query("SELECT id FROM parent") { $0.integer(0) } == [1])
    }
}
