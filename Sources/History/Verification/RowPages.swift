import SQLite

/// Rows of one table by rising key, read a page at a time, each page in a short transaction of its own.
///
/// It only goes forward. A smaller key is looked up alone, so that no order of questions makes it read the table twice. Its memory
/// does not grow with the table.
struct RowPages<Key: Comparable, Row> {
    /// Loads up to `count` rows in the order of their keys, from the key `from` on.
    typealias Load = (_ from: Key, _ count: Int) throws -> [(key: Key, row: Row)]

    private let count: Int
    private let load: Load
    private var from: Key?
    private var rows: [(key: Key, row: Row)] = []
    private var position = 0

    /// - Parameter count: the number of rows in a page.
    init(of count: Int, _ load: @escaping Load) {
        self.count = count
        self.load = load
    }

    /// - Returns: nil where there is no such row.
    mutating func row(_ key: Key) throws -> Row? {
        if from.map({ $0 <= key && rows.last.map { $0.key < key } ?? true }) ?? true {
            rows = try load(key, count)
            (from, position) = (key, 0)
        }
        if position >= rows.count || rows[position].key != key { position = place(of: key) }
        if position < rows.count, rows[position].key == key {
            defer { position += 1 }
            return rows[position].row
        }
        // Behind the page, or written between its rows since it was read.
        return try load(key, 1).first { $0.key == key }?.row
    }

    /// The first row whose key is not smaller.
    private func place(of key: Key) -> Int {
        var range = rows.indices
        while let middle = range.isEmpty ? nil : (range.lowerBound + range.upperBound) / 2 {
            range = rows[middle].key < key ? (middle + 1)..<range.upperBound : range.lowerBound..<middle
        }
        return range.lowerBound
    }
}

extension HistoryReader {
    /// Some rows, in a short transaction of their own.
    ///
    /// - Parameters:
    ///   - sql: its last `?` is for the number of rows.
    ///   - values: for the others.
    package func page<Key: Sendable, Row: Sendable>(
        _ sql: String, _ values: [Value], _ count: Int, _ body: (SQLite.Row) -> (Key, Row)
    ) throws -> [(key: Key, row: Row)] {
        try read { connection in
            var rows: [(key: Key, row: Row)] = []
            rows.reserveCapacity(count)
            try connection.forEach(sql, values + [.integer(Int64(count))]) { rows.append(body($0)) }
            return rows
        }
    }
}
