import CSQLite

/// A connection to one database file: the one owner of a `sqlite3`.
///
/// Not Sendable: one thread or actor at a time.
///
/// Nothing else in the process may open and close the database's file (to copy it, say): closing any descriptor of it
/// drops the locks SQLite holds through its own (fcntl(2)), and another process may then write in between.
package final class Connection {
    package enum Mode: Sendable {
        /// Read and write; a missing file is created with mode 0600.
        case create
        /// Read and write a file that is there.
        case readWrite
        /// Only read a file that is there.
        case readOnly
    }

    private var database: OpaquePointer?
    private var idle = StatementCache()
    /// Set from BEGIN to COMMIT or ROLLBACK by `transaction` and `read`, which are the only ones to write it.
    var isInTransaction = false

    /// Opens a database and reads its header.
    ///
    /// The schema is not trusted (`trusted_schema` off, defensive mode, no extensions, no double-quoted strings), cell
    /// sizes are checked, foreign keys and recursive triggers are on: only with those does INSERT OR REPLACE run the
    /// triggers that refuse DELETE. A writer syncs the folder too (`synchronous=EXTRA`) and overwrites what it deletes with
    /// zeros (`secure_delete`, whose default differs between builds of SQLite). The journal mode stays as it is in the file.
    ///
    /// - Parameters:
    ///   - path: the file; its last component must not be a symbolic link. Its folder must be there.
    ///   - busyTimeoutMilliseconds: how long a statement waits for another connection's lock.
    /// - Throws: `SQLiteError` with the context "open <path>"; for what is not a database `isCorruptOrNotADatabase`,
    ///   for a file this process may not write `isReadOnly`.
    package init(path: String, mode: Mode, busyTimeoutMilliseconds: Int32 = 5000) throws(SQLiteError) {
        let context = "open \(path)"
        let file = try DatabaseFile.resolve(path, context: context)
        if mode == .create { try DatabaseFile.createIfMissing(file, context: context) }
        try DatabaseFile.requireRegularFile(file, context: context)

        let access = mode == .readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE
        let flags = access | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX
        let code = sqlite3_open_v2(file, &database, flags, nil)
        guard code == SQLITE_OK else {
            let error = SQLiteError(code, of: database, context: context)
            close()
            throw error
        }
        do throws(SQLiteError) {
            sqlite3_busy_timeout(database, busyTimeoutMilliseconds)
            try configure()
            // SQLite opens a file it may not write for reading, and would say so at the first write only.
            guard mode == .readOnly || sqlite3_db_readonly(database, "main") == 0 else {
                throw SQLiteError(
                    extendedCode: SQLITE_READONLY, message: "the file cannot be written", context: context)
            }
            if mode != .readOnly { try execute("PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON") }
        } catch {
            close()
            throw error.during(context)
        }
    }

    /// A new, empty database in memory, gone with its connection.
    package static func inMemory() throws(SQLiteError) -> Connection {
        let connection = Connection()
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_EXRESCODE
        let code = sqlite3_open_v2(":memory:", &connection.database, flags | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK else { throw SQLiteError(code, of: connection.database, context: "open :memory:") }
        try connection.configure()
        return connection
    }

    private init() {}

    deinit {
        close()
    }

    /// Closes the file; an open transaction is rolled back. Everything afterwards fails, closing again does nothing.
    package func close() {
        idle = StatementCache()
        // _v2 waits for statements that are still running: `close` may be called from within a query's closure.
        sqlite3_close_v2(database)
        database = nil
    }

    /// Runs one statement with its values, or a script of several without. Rows are thrown away.
    ///
    /// A script is not atomic by itself: use `transaction`.
    package func execute(_ sql: String, _ values: [Value] = []) throws(SQLiteError) {
        guard values.isEmpty else {
            try withStatement(sql, values) { (statement) throws(SQLiteError) in
                while try statement.step() {}
            }
            return
        }
        let script = try Connection.script(sql)
        let database = try handle(for: sql)
        var offset = 0
        while let statement = try Statement.next(in: script, at: &offset, of: database, reused: false) {
            // Once more, because the statement before may have ended the transaction.
            _ = try handle(for: sql)
            try statement.bind([])
            while try statement.step() {}
        }
    }

    /// Runs one statement; the results of `body` for each of its rows, in order.
    ///
    /// - Parameter body: may use the connection, and may throw to stop.
    package func query<T>(
        _ sql: String, _ values: [Value] = [], _ body: (Row) throws(SQLiteError) -> T
    ) throws(SQLiteError) -> [T] {
        try withStatement(sql, values) { (statement) throws(SQLiteError) in
            var results: [T] = []
            while try statement.step() {
                results.append(try body(Row(statement)))
            }
            return results
        }
    }

    /// Runs one statement; hands each of its rows to `body`, in order. For rows by the million, where `query`'s results in a
    /// generic array cost more than the rows themselves.
    ///
    /// - Parameter body: as for `query`.
    package func forEach(
        _ sql: String, _ values: [Value] = [], _ body: (Row) throws(SQLiteError) -> Void
    ) throws(SQLiteError) {
        try withStatement(sql, values) { (statement) throws(SQLiteError) in
            while try statement.step() { try body(Row(statement)) }
        }
    }

    /// Runs one statement up to its first row; the result of `body` for that row, nil when there is none.
    package func first<T>(
        _ sql: String, _ values: [Value] = [], _ body: (Row) throws(SQLiteError) -> T
    ) throws(SQLiteError) -> T? {
        try withStatement(sql, values) { (statement) throws(SQLiteError) in
            try statement.step() ? try body(Row(statement)) : nil
        }
    }

    /// The open database, for a call that is about to be made.
    ///
    /// After some errors (full disk, I/O) SQLite ends the transaction by itself. What follows in the same closure would
    /// then be committed statement by statement, so it is refused.
    func handle(for sql: String) throws(SQLiteError) -> OpaquePointer {
        guard let database else {
            throw .misuse("the connection is closed", context: Statement.summary(of: sql))
        }
        guard !isInTransaction || hasOpenTransaction else {
            throw SQLiteError(
                extendedCode: ExtendedCode.abortRollback,
                message: "the transaction has already ended, by an earlier error or statement",
                context: Statement.summary(of: sql))
        }
        return database
    }

    /// Whether SQLite has a transaction open.
    package var hasOpenTransaction: Bool {
        database.map { sqlite3_get_autocommit($0) == 0 } ?? false
    }

    /// Lends out a statement that is in nobody else's use: the same SQL may run within a row of itself.
    private func withStatement<T>(
        _ sql: String, _ values: [Value], _ body: (Statement) throws(SQLiteError) -> T
    ) throws(SQLiteError) -> T {
        let statement = if let kept = idle.take(sql) { kept } else { try compile(sql) }
        do throws(SQLiteError) {
            _ = try handle(for: sql)
            try statement.bind(values)
            let result = try body(statement)
            try statement.reset()
            if database != nil { idle.put(statement, for: sql) }
            return result
        } catch {
            // The same error once more, if it was SQLite's; a failed statement is not kept.
            try? statement.reset()
            throw error
        }
    }

    private func compile(_ sql: String) throws(SQLiteError) -> Statement {
        let database = try handle(for: sql)
        let script = try Connection.script(sql)
        var offset = 0
        guard let statement = try Statement.next(in: script, at: &offset, of: database, reused: true),
            try Statement.next(in: script, at: &offset, of: database, reused: false) == nil
        else {
            throw .misuse("exactly one statement is expected", context: Statement.summary(of: sql))
        }
        return statement
    }

    /// SQL as C sees it. A NUL within would hide what follows it.
    private static func script(_ sql: String) throws(SQLiteError) -> ContiguousArray<CChar> {
        guard !sql.utf8.contains(0) else {
            throw .misuse("SQL contains a NUL character", context: Statement.summary(of: sql))
        }
        return sql.utf8CString
    }

    private func configure() throws(SQLiteError) {
        let flags: [(option: Int32, on: Int32)] = [
            (SQLITE_DBCONFIG_DEFENSIVE, 1),
            (SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
            (SQLITE_DBCONFIG_DQS_DDL, 0),
            (SQLITE_DBCONFIG_DQS_DML, 0),
            (SQLITE_DBCONFIG_ENABLE_FKEY, 1),
            (SQLITE_DBCONFIG_ENABLE_TRIGGER, 1),
            (SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
        ]
        for (option, on) in flags {
            var now: Int32 = -1
            let code = sqlite3_db_config_flag(database, option, on, &now)
            guard code == SQLITE_OK, now == on else {
                throw SQLiteError(
                    extendedCode: code == SQLITE_OK ? SQLITE_ERROR : code,
                    message: "this SQLite library cannot set option \(option)", context: "configure")
            }
        }
        try execute("PRAGMA recursive_triggers = ON; PRAGMA cell_size_check = ON")
        // Reads the header, and thereby notices what is not a database before anything is done with it.
        try execute("PRAGMA schema_version")
    }
}
