import AuditLog
import SQLite

/// Reads the checkpoints that are stored with the log, by rising size, a page at a time.
struct StoredCheckpoints {
    let reader: HistoryReader
    private var page: ArraySlice<(key: Int64, row: [UInt8])> = []
    private var last: Int64 = 0
    private var end: Int64 = 0

    init(reader: HistoryReader) { self.reader = reader }

    /// - Returns: nil where the next one covers more than `size` entries.
    mutating func next(upTo size: Int64) throws -> (size: Int64, note: [UInt8])? {
        if page.isEmpty, end < size {
            let count = 1000
            page = try reader.page("SELECT size, note FROM checkpoint WHERE size > ? ORDER BY size LIMIT ?", [.integer(last)], count) {
                ($0.integer(0) ?? 0, $0.bytes(1))
            }[...]
            // Where there are no more now, there may be later, but not for entries that are read already.
            end = page.isEmpty ? size : 0
        }
        guard let checkpoint = page.first, checkpoint.key <= size else { return nil }
        page = page.dropFirst()
        last = checkpoint.key
        return (checkpoint.key, checkpoint.row)
    }
}
