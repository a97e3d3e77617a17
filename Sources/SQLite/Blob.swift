import CSQLite

extension Connection {
    /// Reads a part of a stored blob or text in pieces of limited size, without loading all of it.
    ///
    /// All pieces belong to one state of the database. As with `read`, writers wait until the last piece.
    ///
    /// - Parameters:
    ///   - table: an ordinary table, with row ids.
    ///   - offset: the first byte, from 0.
    ///   - count: how many bytes; nil for all that follow.
    ///   - pieceBytes: the largest piece.
    /// - Throws: what `body` throws, or `SQLiteError` if there is no such row or it has no blob, if the range is not within it
    ///   (SQLITE_RANGE), or if this connection changed the row meanwhile (SQLITE_ABORT).
    package func forEachBlobPiece(
        table: String, column: String, rowid: Int64, offset: Int = 0, count: Int? = nil, pieceBytes: Int = 65536,
        _ body: ([UInt8]) throws -> Void
    ) throws {
        let context = "read \(table).\(column) of row \(rowid)"
        let database = try handle(for: context)
        var opened: OpaquePointer?
        let code = sqlite3_blob_open(database, "main", table, column, rowid, 0, &opened)
        guard code == SQLITE_OK, let blob = opened else { throw SQLiteError(code, of: database, context: context) }
        defer { sqlite3_blob_close(blob) }

        let size = Int(sqlite3_blob_bytes(blob))
        guard pieceBytes > 0 else {
            throw SQLiteError.misuse("pieces must have at least one byte", context: context)
        }
        guard (0...size).contains(offset), (0...(size - offset)).contains(count ?? 0) else {
            throw SQLiteError(
                extendedCode: SQLITE_RANGE, message: "the range is not within the \(size) bytes stored",
                context: context)
        }
        let end = offset + (count ?? size - offset)
        var position = offset
        while position < end {
            var piece = [UInt8](repeating: 0, count: min(pieceBytes, end - position))
            let code = sqlite3_blob_read(blob, &piece, Int32(piece.count), Int32(position))
            guard code == SQLITE_OK else { throw SQLiteError(code, of: database, context: context) }
            try body(piece)
            position += piece.count
        }
    }
}
