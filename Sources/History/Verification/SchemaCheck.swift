import AuditLog
import Migrations
import SQLite

/// Compares the database's schema, object by object, and its record of migrations with what this program's migrations make.
enum SchemaCheck {
    /// A row of sqlite_schema, without the place of its pages.
    private struct Object: Hashable {
        let type: String
        let name: String
        let table: String
        let sql: String

        var hash: Hash {
            Hash.leaf([type, name, table, sql].flatMap { Array("\($0.utf8.count):\($0)".utf8) })
        }

        /// For a terminal. An attacker may have chosen the name, so it is printed in visible ASCII.
        var description: String {
            "the \(SchemaCheck.printable(type)) \(SchemaCheck.printable(name))"
        }

        /// Whether this is a table whose rows are in the file. Those of a virtual table are not.
        var isPlainTable: Bool { type == "table" && sql.hasPrefix("CREATE TABLE ") }

        func isNamed(as other: Object) -> Bool { type == other.type && name == other.name }
    }

    /// Refuses a database of another version of this program, because its schema cannot be compared.
    /// - Throws: ``HistoryError`` with what to do.
    static func requireKnown(_ reader: HistoryReader) throws {
        guard try reader.read({ try !isRecordAltered($0) }) else { return }
        let migrator = Migrator(applicationID: HistorySchema.applicationID, migrations: HistorySchema.migrations)
        let status: Migrator.Status
        do { status = try reader.use { try migrator.status(of: $0) } } catch MigrationError.altered, MigrationError.gap {
            // It was changed; `damage` says what.
            return
        } catch MigrationError.database(let error) {
            throw HistoryError(reader.path, error)
        }
        guard try !status.applied.isEmpty || reader.read({ try !objects($0).isEmpty }) else {
            throw HistoryError("\(reader.path): the history has not begun, so that there is nothing to check")
        }
        guard let pending = status.pending.first, !status.applied.isEmpty else { return }
        // Where only the record of a migration was deleted, the schema is not that of an older version.
        let older = try objects(HistorySchema.fresh(migrations: status.applied.count))
        guard try Set(reader.use { try objects($0) }) == Set(older) else { return }
        throw HistoryError(
            "\(reader.path): it was written by an older version (migration \(pending.number) is missing); run sync-service migrate first")
    }

    /// What differs. The cost does not depend on the length of the history.
    static func damage(_ connection: Connection) throws -> DamageList {
        var list = DamageList()
        var missing = try objects(HistorySchema.fresh())
        var added: [Object] = []
        for object in try objects(connection) {
            if let index = missing.firstIndex(of: object) { missing.remove(at: index) } else { added.append(object) }
        }
        let tables = Set(added.filter { table in table.isPlainTable && !missing.contains { $0.isNamed(as: table) } })
        for object in added {
            let isChanged = missing.contains { $0.isNamed(as: object) }
            let text = "the database's schema: \(object.description) was \(isChanged ? "changed" : "added")"
            // Nothing of ours reads another table. What any other object does depends on what it reads, which may be altered
            // later. The index that SQLite makes for a table belongs to it.
            let isHarmless = tables.contains(object) || (object.type == "index" && object.sql.isEmpty && tables.contains { $0.name == object.table })
            list.add(isHarmless ? Damage(text, found: object.hash) : Damage(unacceptable: text))
        }
        for object in missing where !added.contains(where: { $0.isNamed(as: object) }) {
            list.add(Damage(unacceptable: "the database's schema: \(object.description) is missing"))
        }
        // An altered table of migrations is named already.
        return missing.contains(where: isRecord) ? list : list + (try migrationDamage(connection))
    }

    private static func isRecord(_ object: Object) -> Bool { object.type == "table" && object.name == "schema_migrations" }

    /// Whether a database of ours lacks the table of migrations, or has another one. The version cannot be told then, but that is
    /// damage, which `damage` names.
    private static func isRecordAltered(_ connection: Connection) throws -> Bool {
        let identifier = try connection.first("PRAGMA application_id") { $0.integer(0) ?? 0 }
        guard identifier == Int64(HistorySchema.applicationID) else { return false }
        return try objects(connection).first(where: isRecord) != objects(HistorySchema.fresh()).first(where: isRecord)
    }

    private static func objects(_ connection: Connection) throws -> [Object] {
        try connection.query("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name") {
            Object(type: $0.text(0) ?? "", name: $0.text(1) ?? "", table: $0.text(2) ?? "", sql: $0.text(3) ?? "")
        }
    }

    /// Compares the rows of migrations. The audit log does not say when a migration was applied, so only the form of the time is
    /// checked.
    private static func migrationDamage(_ connection: Connection) throws -> DamageList {
        var list = DamageList()
        var expected: [Int64: (name: String, checksum: String)] = [:]
        for migration in HistorySchema.migrations { expected[Int64(migration.number)] = (migration.name, try migration.checksum()) }
        let rows = try connection.query("SELECT number, name, checksum, applied_at FROM schema_migrations ORDER BY number") { row in
            (number: row.integer(0) ?? 0, name: row.text(1), checksum: row.text(2), at: row.text(3) ?? "", hash: row.hash(columns: 4))
        }
        for row in rows {
            let known = expected.removeValue(forKey: row.number)
            let isCanonical = Timestamp.milliseconds(parsing: row.at).map(Timestamp.text) == row.at
            guard let known, known.name == row.name, known.checksum == row.checksum, isCanonical else {
                list.add("schema_migrations: the row of migration \(row.number) is not the one this program wrote", found: row.hash)
                continue
            }
        }
        for number in expected.keys.sorted() { list.add("schema_migrations: the row of migration \(number) is missing") }
        return list
    }

    /// The beginning of a text that comes from the file, in visible ASCII.
    static func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(200).map { (" "..."~").contains($0) ? $0 : "?" }))
    }
}
