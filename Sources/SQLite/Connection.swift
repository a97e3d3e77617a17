import CSQLite

/// A connection to one database file. It is the only owner of a `sqlite3`.
///
/// Not Sendable: use it on one thread or actor at a time.
///
/// No other code in the process may open and close the database's file, for example to copy it. Closing any descriptor of the
/// file drops SQLite's locks (fcntl(2)), and another process could then write.
package final class Connection {
    package enum Mode: Sendable {
        /// Read and write; a missing file is created with mode 0600.
        case create
        /// Read and write an existing file.
        case readWrite
        /// Only read an existing file.
        case readOnly
    }

    private var database: OpaquePointer?
    private(set) var idle = StatementCache()
    /// True from BEGIN to COMMIT or ROLLBACK. Only `transaction` and `read` set it.
    var isInTransaction = false

    /// Opens a database and reads its header.
    ///
    /// The schema is not trusted (`trusted_schema` off, defensive mode, no extensions, no double-quoted strings), cell
    /// sizes are checked, foreign keys and recursive triggers are on: only with those does INSERT OR REPLACE run the
    /// triggers that refuse DELETE. A writer syncs the folder too (`synchronous=EXTRA`) and overwrites what it deletes with
    /// zeros (`secure_delete`, whose default differs between builds of SQLite). The journal mode stays as it is in the file.
    ///
    /// - Parameters:
    ///   - path: the file. Its last component must not be a symbolic link, and its folder must exist.
    ///   - busyTimeoutMilliseconds: how long a statement waits for another connection's lock.
    /// - Throws: `SQLiteError` with the context "open <path>": `isCorruptOrNotADatabase` if it is no database, `isReadOnly` if
    ///   this process may not write the file.
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
            // If the file cannot be written, SQLite opens it for reading and fails only at the first write.
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

    /// A new, empty database in memory. It ends with its connection.
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

    /// Closes the file and rolls back an open transaction. Later calls fail; closing again does nothing.
    package func close() {
        idle = StatementCache()
        // _v2 waits for running statements, because `close` may be called within a query's closure.
        sqlite3_close_v2(database)
        database = nil
    }

    /// Runs one statement with its values, or a script of several statements without values. Rows are discarded.
    ///
    /// A script is not atomic; use `transaction`.
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
            // Checked again, because the previous statement may have ended the transaction.
            _ = try handle(for: sql)
            try statement.bind([])
            while try statement.step() {}
        }
    }

    /// Runs one statement.
    /// - Returns: the results of `body` for its rows, in order.
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

    /// Runs one statement and passes each row to `body`, in order. For millions of rows, for which the generic array of `query`
    /// costs more than the rows.
    ///
    /// - Parameter body: as for `query`.
    package func forEach(
        _ sql: String, _ values: [Value] = [], _ body: (Row) throws(SQLiteError) -> Void
    ) throws(SQLiteError) {
        try withStatement(sql, values) { (statement) throws(SQLiteError) in
            while try statement.step() { try body(Row(statement)) }
        }
    }

    /// Runs one statement up to its first row.
    /// - Returns: the result of `body` for that row; nil if there is none.
    package func first<T>(
        _ sql: String, _ values: [Value] = [], _ body: (Row) throws(SQLiteError) -> T
    ) throws(SQLiteError) -> T? {
        try withStatement(sql, values) { (statement) throws(SQLiteError) in
            try statement.step() ? try body(Row(statement)) : nil
        }
    }

    /// The open database, for the next call.
    ///
    /// After some errors (full disk, I/O) SQLite itself ends the transaction. The rest of the closure would then be committed
    /// statement by statement, so it is refused.
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

    /// Lends a statement that is not in use. The same SQL may run within one of its own rows.
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
            // Reports SQLite's error again. A failed statement is not kept.
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

    /// SQL as a C string. A NUL in it would hide the rest.
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
        // Reads the header, so that a file that is no database is noticed before any use.
        try execute("PRAGMA schema_version")
    }
}
