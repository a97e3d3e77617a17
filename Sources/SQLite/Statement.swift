import CSQLite

/// A compiled statement. It is the only owner of a `sqlite3_stmt`.
final class Statement {
    let pointer: OpaquePointer
    /// Counts the steps, so that a row knows when it is no longer the current one.
    private(set) var position: UInt64 = 0

    private init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        sqlite3_finalize(pointer)
    }

    /// Compiles the next statement of `script` and moves `offset` behind it; nil if only blanks and comments are left.
    ///
    /// - Parameters:
    ///   - script: SQL that ends with its only NUL.
    ///   - reused: whether the statement will be kept for later use.
    static func next(
        in script: ContiguousArray<CChar>, at offset: inout Int, of database: OpaquePointer, reused: Bool
    ) throws(SQLiteError) -> Statement? {
        let end = script.count - 1
        while offset < end {
            var pointer: OpaquePointer?
            var used = 0
            let code = script.withUnsafeBufferPointer { buffer -> Int32 in
                let start = buffer.baseAddress?.advanced(by: offset)
                var rest = start
                let flags = reused ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0
                let code = sqlite3_prepare_v3(database, start, -1, flags, &pointer, &rest)
                if let start, let rest { used = rest - start }
                return code
            }
            guard code == SQLITE_OK else {
                let start = script[offset..<end].prefix(1000).map(UInt8.init(bitPattern:))
                throw SQLiteError(code, of: database, context: summary(of: String(decoding: start, as: UTF8.self)))
            }
            offset += max(used, 1)
            if let pointer { return Statement(pointer) }
        }
        return nil
    }

    /// Binds copies of the values. There must be one for each `?`, because SQLite would take a missing one as NULL.
    func bind(_ values: [Value]) throws(SQLiteError) {
        let wanted = Int(sqlite3_bind_parameter_count(pointer))
        guard values.count == wanted else {
            throw .misuse("\(values.count) values for \(wanted) parameters", context: summary)
        }
        for (index, value) in values.enumerated() {
            let code = bind(value, at: Int32(index) + 1)
            guard code == SQLITE_OK else { throw error(code) }
        }
    }

    private func bind(_ value: Value, at index: Int32) -> Int32 {
        switch value {
        case .null:
            sqlite3_bind_null(pointer, index)
        case .integer(let number):
            sqlite3_bind_int64(pointer, index, number)
        case .real(let number):
            sqlite3_bind_double(pointer, index, number)
        case .text(let text):
            // Never a null pointer, as an empty buffer has, because that would bind NULL.
            text.withCString {
                sqlite3_bind_text64(
                    pointer, index, $0, UInt64(text.utf8.count), sqlite3_transient(), UInt8(SQLITE_UTF8))
            }
        case .blob([]):
            sqlite3_bind_zeroblob(pointer, index, 0)
        case .blob(let bytes):
            sqlite3_bind_blob64(pointer, index, bytes, UInt64(bytes.count), sqlite3_transient())
        }
    }

    /// - Returns: true if there is a row, false at the end.
    func step() throws(SQLiteError) -> Bool {
        position &+= 1
        switch sqlite3_step(pointer) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw error(code)
        }
    }

    /// Ends the statement and frees its locks. Outside a transaction, a writing statement that was not stepped to its end commits
    /// here and may fail.
    func reset() throws(SQLiteError) {
        position &+= 1
        let code = sqlite3_reset(pointer)
        sqlite3_clear_bindings(pointer)
        guard code == SQLITE_OK else { throw error(code) }
    }

    private func error(_ code: Int32) -> SQLiteError {
        SQLiteError(code, of: sqlite3_db_handle(pointer), context: summary)
    }

    private var summary: String {
        sqlite3_sql(pointer).map { Statement.summary(of: String(cString: $0)) } ?? "SQL"
    }

    /// The first line that is not blank, cut to fit a message.
    static func summary(of sql: String) -> String {
        let lines = sql.split(whereSeparator: \.isNewline)
        let line = lines.first { !$0.allSatisfy(\.isWhitespace) } ?? ""
        return String(line.drop(while: \.isWhitespace).prefix(120))
    }
}
