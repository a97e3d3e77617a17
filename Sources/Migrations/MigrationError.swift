import SQLite

/// Why a database's schema cannot be read or brought up to date. Nothing was changed.
package enum MigrationError: Error, Sendable, CustomStringConvertible {
    /// The file is not ours: another application_id, or no record of migrations.
    case notOurs(applicationID: Int32)
    /// The database has a migration that this program does not know.
    case unknown(number: Int, name: String)
    /// The SQL that was applied is not the SQL that this program has under that number. Both as checksums.
    case altered(number: Int, name: String, expected: String, found: String)
    /// The database's record has a hole: `found` where `expected` should be.
    case gap(expected: Int, found: Int)
    /// This program's own list is not numbered 1, 2, 3 …
    case misnumbered(expected: Int, found: Int)
    case database(SQLiteError)
    /// A checksum could not be computed.
    case digest(any Error)

    package var description: String {
        switch self {
        case .notOurs(let applicationID):
            "The database is not this program's (application_id \(applicationID)), or its record of migrations is "
                + "missing. It was left as it is: choose another file, or restore a backup."
        case .unknown(let number, let name):
            "The database has migration \(number) (\(name)), written by a newer version: "
                + "install that version or restore a backup."
        case .altered(let number, let name, let expected, let found):
            "Migration \(number) (\(name)) is not the one that was applied to the database (SHA-256 \(expected) "
                + "expected, \(found) found): install the version that wrote it or restore a backup."
        case .gap(let expected, let found):
            "The database records migration \(found) where \(expected) should be: restore a backup."
        case .misnumbered(let expected, let found):
            "This program's migrations are misnumbered (\(found) where \(expected) should be): "
                + "install an intact version."
        case .database(let error):
            "The database's schema could not be read or changed: \(error)"
        case .digest(let cause):
            "A migration's checksum could not be computed: \(cause)"
        }
    }
}
