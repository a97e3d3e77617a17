import Linux
import Migrations
import SQLite

/// The history's schema, step by step. Never edit a step that was released: databases record its checksum.
package enum HistorySchema {
    /// "SYNC" in ASCII, in the database's header. It says that a file is ours.
    static let applicationID: Int32 = 0x5359_4E43

    static let migrations = [RunSchema.migration, AuditLogSchema.migration, KnownValues.migration, HistoryIndexes.migration]

    private static let migrator = Migrator(applicationID: applicationID, migrations: migrations)

    /// Applies what is missing, in one transaction. A database that is not ours, or that is newer, is not changed.
    static func migrate(_ connection: Connection) throws(MigrationError) {
        _ = try migrator.apply(to: connection, now: Timestamp.text(Clock.wallMilliseconds()))
    }

    /// Which migrations are applied, with their time, and which are not. Changes nothing.
    package static func status(of path: String) throws(HistoryError) -> [(number: Int, name: String, appliedAt: String?)] {
        do {
            let status = try migrator.status(of: try Connection(path: path, mode: .readOnly))
            return status.applied.map { ($0.number, $0.name, $0.appliedAt) } + status.pending.map { ($0.number, $0.name, nil) }
        } catch {
            throw HistoryError(path, error)
        }
    }

    /// A new database in memory. A verification compares with it.
    /// - Parameter count: how many migrations to apply; nil for all.
    static func fresh(migrations count: Int? = nil) throws -> Connection {
        let connection = try Connection.inMemory()
        let applied = Array(migrations.prefix(count ?? migrations.count))
        _ = try Migrator(applicationID: applicationID, migrations: applied).apply(to: connection, now: "")
        return connection
    }
}
