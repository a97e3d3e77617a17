import SQLite

/// Brings a database's schema up to date, one numbered step after the other. Refuses a database whose record it does not
/// know.
package struct Migrator: Sendable {
    /// Which migrations a database has, and which it lacks.
    package struct Status: Sendable, Equatable {
        /// A row of `schema_migrations`.
        package struct Applied: Sendable, Equatable {
            package let number: Int
            package let name: String
            package let checksum: String
            /// The time that `apply` was given, RFC 3339.
            package let appliedAt: String
        }

        package let applied: [Applied]
        package let pending: [Migration]
    }

    private let applicationID: Int32
    private let migrations: [Migration]

    /// - Parameters:
    ///   - applicationID: not 0, which is what every database starts with.
    ///     https://www.sqlite.org/pragma.html#pragma_application_id
    ///   - migrations: numbered 1, 2, 3 …, in order.
    package init(applicationID: Int32, migrations: [Migration]) {
        self.applicationID = applicationID
        self.migrations = migrations
    }

    /// Compares the database's record with this program's migrations. Changes nothing.
    ///
    /// - Throws: every `MigrationError`; an empty database is not an error.
    package func status(of connection: Connection) throws(MigrationError) -> Status {
        try typed { try connection.read { try readStatus(connection) } }
    }

    /// Applies all pending migrations in one transaction, and records each. Several processes may do so at once.
    ///
    /// Afterwards the database is ours (application_id) and uses a rollback journal, and the connection enforces foreign keys.
    /// They are not enforced while a migration runs.
    ///
    /// - Parameter now: the time to record, RFC 3339.
    /// - Returns: what was applied; empty if nothing was pending.
    /// - Throws: every `MigrationError`. After an I/O error ask `status` before you try again. After any error close the
    ///   connection: a migration may have left its settings changed.
    package func apply(to connection: Connection, now: String) throws(MigrationError) -> [Migration] {
        try typed {
            // A database that is not ours is refused before anything is written.
            let pending = try connection.read { try readStatus(connection).pending }
            try useRollbackJournal(connection)
            guard !pending.isEmpty else { return [] }

            return try withoutForeignKeys(connection) {
                try connection.transaction {
                    // Once more: another process may have been faster.
                    let pending = try readStatus(connection).pending
                    if try isEmpty(connection) { try createRecord(connection) }
                    for migration in pending { try apply(migration, connection, now: now) }
                    return pending
                }
            }
        }
    }

    private func apply(_ migration: Migration, _ connection: Connection, now: String) throws {
        try connection.execute(migration.sql)
        try connection.execute(
            "INSERT INTO schema_migrations (number, name, checksum, applied_at) VALUES (?, ?, ?, ?)",
            [.integer(Int64(migration.number)), .text(migration.name), .text(try migration.checksum()), .text(now)])
    }

    /// Runs `body` while foreign keys are not enforced, so that a migration can rebuild a table that others refer to. The
    /// setting cannot be changed inside a transaction. https://www.sqlite.org/lang_altertable.html#otheralter
    private func withoutForeignKeys<T>(_ connection: Connection, _ body: () throws -> T) throws -> T {
        try connection.execute("PRAGMA foreign_keys = OFF")
        let result = Result { try body() }
        try connection.execute("PRAGMA foreign_keys = ON")
        return try result.get()
    }

    private func readStatus(_ connection: Connection) throws -> Status {
        for (index, migration) in migrations.enumerated() where migration.number != index + 1 {
            throw MigrationError.misnumbered(expected: index + 1, found: migration.number)
        }
        guard try !isEmpty(connection) else { return Status(applied: [], pending: migrations) }

        let applied = try connection.query(
            "SELECT number, name, checksum, applied_at FROM schema_migrations ORDER BY number"
        ) { row in
            Status.Applied(
                number: Int(row.integer(0) ?? 0), name: row.text(1) ?? "", checksum: row.text(2) ?? "",
                appliedAt: row.text(3) ?? "")
        }
        for (index, record) in applied.enumerated() {
            guard record.number == index + 1 else {
                throw MigrationError.gap(expected: index + 1, found: record.number)
            }
            guard index < migrations.count else {
                throw MigrationError.unknown(number: record.number, name: record.name)
            }
            let expected = try migrations[index].checksum()
            guard record.checksum == expected else {
                throw MigrationError.altered(
                    number: record.number, name: record.name, expected: expected, found: record.checksum)
            }
        }
        return Status(applied: applied, pending: Array(migrations.dropFirst(applied.count)))
    }

    /// Whether the database is new. Refuses a database of another program.
    private func isEmpty(_ connection: Connection) throws -> Bool {
        let found = try connection.first("PRAGMA application_id") { $0.integer(0) ?? 0 } ?? 0
        let objects = try connection.first("SELECT count(*) FROM sqlite_schema") { $0.integer(0) ?? 0 } ?? 0
        if found == 0, objects == 0 { return true }

        let records = try connection.first(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'"
        ) { $0.integer(0) ?? 0 }
        guard found == Int64(applicationID), records == 1 else {
            throw MigrationError.notOurs(applicationID: Int32(truncatingIfNeeded: found))
        }
        return false
    }

    private func createRecord(_ connection: Connection) throws {
        try connection.execute("PRAGMA application_id = \(applicationID)")
        // On a connection with recursive_triggers off, INSERT OR REPLACE deletes a row without a delete trigger. So a
        // trigger before each INSERT refuses keys that exist.
        try connection.execute(
            """
            CREATE TABLE schema_migrations (
                number INTEGER PRIMARY KEY,
                name TEXT NOT NULL,
                checksum TEXT NOT NULL,
                applied_at TEXT NOT NULL
            ) STRICT;
            CREATE TRIGGER schema_migrations_refuse_update BEFORE UPDATE ON schema_migrations
            BEGIN SELECT RAISE(ABORT, 'schema_migrations is append-only'); END;
            CREATE TRIGGER schema_migrations_refuse_delete BEFORE DELETE ON schema_migrations
            BEGIN SELECT RAISE(ABORT, 'schema_migrations is append-only'); END;
            CREATE TRIGGER schema_migrations_refuse_replace BEFORE INSERT ON schema_migrations
            WHEN EXISTS (SELECT 1 FROM schema_migrations WHERE number = NEW.number)
            BEGIN SELECT RAISE(ABORT, 'schema_migrations is append-only'); END;
            """)
    }

    /// A file remembers only the journal mode WAL. WAL must not be used before SQLite 3.51.3, which corrects a bug that
    /// corrupts the database. The mode cannot be changed inside a transaction.
    private func useRollbackJournal(_ connection: Connection) throws {
        let mode = try connection.first("PRAGMA journal_mode") { $0.text(0) ?? "" } ?? ""
        guard mode == "wal" else { return }
        // Fails while another connection is open, because that one would keep the old mode.
        try connection.execute("PRAGMA journal_mode = DELETE")
    }

    /// `Connection.transaction` rethrows every error of its closure.
    private func typed<T>(_ body: () throws -> T) throws(MigrationError) -> T {
        do {
            return try body()
        } catch let error as MigrationError {
            throw error
        } catch let error as SQLiteError {
            throw .database(error)
        } catch {
            throw .digest(error)
        }
    }
}
