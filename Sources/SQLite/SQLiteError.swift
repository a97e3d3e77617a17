import CSQLite

/// An error of SQLite: its codes, its text, and the statement or call.
///
/// It never contains bound values. `context` and `message` may name paths, tables and columns, so they are for logs and
/// the command line, not for HTTP clients.
///
/// **After an error of COMMIT, or of a writing statement outside a transaction, read back before you try again.** An I/O error
/// on the last sync (of the folder) is reported although the rows were kept.
package struct SQLiteError: Error, Sendable, CustomStringConvertible {
    /// The primary result code, for example 5 (SQLITE_BUSY). https://www.sqlite.org/rescode.html
    package let code: Int32
    /// The extended result code, for example 1555 (SQLITE_CONSTRAINT_PRIMARYKEY).
    package let extendedCode: Int32
    /// SQLite's text, with the system's reason if there is one.
    package let message: String
    /// The first line of the SQL, or "open /path".
    package let context: String
    /// The `errno` value if a file could not be opened, read or written; 0 if it is not known.
    package let systemCode: Int32

    /// - Parameter extendedCode: an extended or primary result code; `code` follows from it.
    package init(extendedCode: Int32, message: String, context: String, systemCode: Int32 = 0) {
        self.systemCode = systemCode
        self.code = extendedCode & 0xFF
        self.extendedCode = extendedCode
        self.message = message
        self.context = context
    }

    /// Another connection held a lock longer than the busy timeout.
    package var isBusy: Bool { code == SQLITE_BUSY }
    /// The file is damaged, or is no database.
    package var isCorruptOrNotADatabase: Bool { code == SQLITE_CORRUPT || code == SQLITE_NOTADB }
    /// A constraint, or a trigger's RAISE, refused the change.
    package var isConstraint: Bool { code == SQLITE_CONSTRAINT }
    /// The disk, or the database's allowed size, is full.
    package var isFull: Bool { code == SQLITE_FULL }
    /// The operating system failed to read, write, sync or lock.
    package var isIOError: Bool { code == SQLITE_IOERR }
    /// The file or the file system may not be written.
    package var isReadOnly: Bool { code == SQLITE_READONLY }
    /// There is not enough memory now.
    package var isOutOfMemory: Bool { code == SQLITE_NOMEM }

    /// A writer was killed. Only a connection that may write can undo its unfinished transaction.
    package var isInterruptedWrite: Bool { extendedCode == ExtendedCode.readOnlyRollback }

    package var description: String {
        "\(context): \(message) (SQLite code \(extendedCode))\(advice.map { ". \($0)" } ?? "")"
    }

    private var advice: String? {
        if extendedCode == ExtendedCode.readOnlyRollback {
            return "A writer was interrupted; open the database once for writing to undo what it left half done"
        }
        return switch code {
        case SQLITE_BUSY: "Another process is using the database; try again, or end that process"
        case SQLITE_CORRUPT: "The database is damaged; restore it from a backup"
        case SQLITE_NOTADB: "Check the path, or restore the database from a backup"
        case SQLITE_FULL: "Free some disk space"
        case SQLITE_IOERR: "Check the disk and the system's log"
        case SQLITE_READONLY: "Check owner and mode of the file and its folder, and how its file system is mounted"
        case SQLITE_CANTOPEN: "Check the path, and owner and mode of the file and its folder"
        default: nil
        }
    }
}

/// Extended codes whose macros Swift cannot import.
enum ExtendedCode {
    static let abortRollback = SQLITE_ABORT | 2 << 8
    static let cantOpenSymlink = SQLITE_CANTOPEN | 6 << 8
    static let readOnlyRollback = SQLITE_READONLY | 3 << 8
}

extension SQLiteError {
    /// The error of the call that just failed. `database` is nil if SQLite could not even allocate a handle.
    init(_ code: Int32, of database: OpaquePointer?, context: String) {
        var message = String(cString: database.map { sqlite3_errmsg($0) } ?? sqlite3_errstr(code))
        let primary = code & 0xFF
        var systemCode: Int32 = 0
        if let database, primary == SQLITE_CANTOPEN || primary == SQLITE_IOERR {
            systemCode = sqlite3_system_errno(database)
            if systemCode != 0 { message += ": \(SystemError.reason(systemCode))" }
        }
        self.init(extendedCode: code, message: message, context: context, systemCode: systemCode)
    }

    /// Our refusal of something that SQLite would misunderstand.
    static func misuse(_ message: String, context: String) -> SQLiteError {
        SQLiteError(extendedCode: SQLITE_MISUSE, message: message, context: context)
    }

    /// The same error in the context of a larger step.
    func during(_ context: String) -> SQLiteError {
        SQLiteError(extendedCode: extendedCode, message: message, context: context, systemCode: systemCode)
    }
}
