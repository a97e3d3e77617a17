/// Recently used statements that are not in use now.
struct StatementCache {
    private static let limit = 32
    /// The least recently used first.
    private(set) var entries: [(sql: String, statement: Statement)] = []

    mutating func take(_ sql: String) -> Statement? {
        // Compares bytes. Strings that look the same are equal in Swift, but not in SQLite.
        let count = sql.utf8.count
        guard let index = entries.lastIndex(where: { $0.sql.utf8.count == count && $0.sql.utf8.elementsEqual(sql.utf8) }) else { return nil }
        return entries.remove(at: index).statement
    }

    mutating func put(_ statement: Statement, for sql: String) {
        entries.append((sql, statement))
        if entries.count > StatementCache.limit { entries.removeFirst() }
    }
}
