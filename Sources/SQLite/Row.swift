import CSQLite

/// One row of a result. It is valid while its closure runs; afterwards all values are nil.
///
/// The value of a column is nil if it is NULL, of another type than asked for, or does not exist.
package struct Row {
    private let statement: Statement
    private let position: UInt64

    init(_ statement: Statement) {
        self.statement = statement
        self.position = statement.position
    }

    /// True for NULL, and for a column that does not exist.
    package func isNull(_ column: Int) -> Bool {
        kind(of: column) == nil
    }

    package func integer(_ column: Int) -> Int64? {
        value(column, of: SQLITE_INTEGER) { sqlite3_column_int64($0, $1) }
    }

    /// The value with its type; `.null` also for a column that does not exist.
    package func value(_ column: Int) -> Value {
        switch kind(of: column) {
        case SQLITE_INTEGER: .integer(sqlite3_column_int64(statement.pointer, Int32(column)))
        case SQLITE_FLOAT: .real(sqlite3_column_double(statement.pointer, Int32(column)))
        case SQLITE_TEXT: .text(text(column) ?? "")
        case SQLITE_BLOB: .blob(blob(column) ?? [])
        default: .null
        }
    }

    package func real(_ column: Int) -> Double? {
        value(column, of: SQLITE_FLOAT) { sqlite3_column_double($0, $1) }
    }

    /// The text, with U+FFFD for bytes that are not UTF-8.
    package func text(_ column: Int) -> String? {
        value(column, of: SQLITE_TEXT) { statement, index in
            // The pointer first, because sqlite3_column_bytes counts the result of the last conversion.
            let start = sqlite3_column_text(statement, index)
            let count = Int(sqlite3_column_bytes(statement, index))
            return String(decoding: UnsafeBufferPointer(start: start, count: start == nil ? 0 : count), as: UTF8.self)
        }
    }

    package func blob(_ column: Int) -> [UInt8]? {
        value(column, of: SQLITE_BLOB) { statement, index in
            // A blob without bytes has no pointer.
            let start = sqlite3_column_blob(statement, index)
            let count = Int(sqlite3_column_bytes(statement, index))
            return [UInt8](UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
        }
    }

    /// Appends the stored bytes of a text, UTF-8 or not. For millions of texts, for which a String each costs more than reading
    /// them.
    ///
    /// - Returns: false if the column has no text. Then nothing is appended.
    package func append(_ column: Int, to bytes: inout [UInt8]) -> Bool {
        let found: Void? = value(column, of: SQLITE_TEXT) { statement, index in
            // The pointer first, as for `text`.
            let start = sqlite3_column_text(statement, index)
            let count = Int(sqlite3_column_bytes(statement, index))
            bytes.append(contentsOf: UnsafeBufferPointer(start: start, count: start == nil ? 0 : count))
        }
        return found != nil
    }

    /// The result of `body` for a blob's bytes in SQLite's memory; nil if the column has no blob.
    package func blob<T>(_ column: Int, _ body: (RawSpan) -> T) -> T? {
        value(column, of: SQLITE_BLOB) { statement, index in
            let start = sqlite3_column_blob(statement, index)
            let count = Int(sqlite3_column_bytes(statement, index))
            return body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count).bytes)
        }
    }

    private func value<T>(_ column: Int, of wanted: Int32, _ read: (OpaquePointer, Int32) -> T) -> T? {
        guard kind(of: column) == wanted else { return nil }
        return read(statement.pointer, Int32(column))
    }

    /// nil for NULL, outside the columns, and once the statement has moved on.
    private func kind(of column: Int) -> Int32? {
        guard statement.position == position,
            (0..<Int(sqlite3_column_count(statement.pointer))).contains(column)
        else { return nil }
        let kind = sqlite3_column_type(statement.pointer, Int32(column))
        return kind == SQLITE_NULL ? nil : kind
    }
}
