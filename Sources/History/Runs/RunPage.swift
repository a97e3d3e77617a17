import SQLite

/// A page of a list of runs, newest first. It is filled in steps, so that no read transaction is long.
struct RunPage {
    private let filter: RunFilter
    private let sql: String
    private let values: [Value]
    private var found: [RunRecord] = []
    /// The next step examines runs up to this number.
    private var last: Int64

    init(_ filter: RunFilter) {
        self.filter = filter
        let (conditions, values) = filter.conditions
        self.values = values
        sql = "SELECT \(RunTable.runs.selection) FROM runs WHERE id BETWEEN ? AND ?\(conditions) ORDER BY id DESC LIMIT ?"
        // Numbers begin at 1, so there is nothing before the smallest one either.
        last = filter.before.map { $0 == .min ? .min : $0 - 1 } ?? .max
    }

    /// One run more than the page has shows that there is a next page.
    var isFull: Bool { found.count > filter.limit }
    var runs: [RunRecord] { Array(found.prefix(filter.limit)) }
    /// Where the next page begins; nil at the end.
    var next: Int64? { isFull ? runs.last?.id : nil }

    /// One step: what to add, and the smallest number it examined.
    typealias Step = (runs: [RunRecord], first: Int64)

    /// Examines the next `rows` runs, or of one user the next `rows` runs of that user.
    /// - Returns: nil if there are none.
    func step(of rows: Int64, _ connection: Connection) throws(SQLiteError) -> Step? {
        guard let first = try first(of: rows, connection) else { return nil }
        let missing = Int64(filter.limit + 1 - found.count)
        let runs = try connection.query(sql, [.integer(first), .integer(last)] + values + [.integer(missing)]) { RunRecord($0) }
        return (runs, first)
    }

    mutating func add(_ step: Step) {
        found += step.runs
        last = step.first - 1
    }

    /// The smallest number among the next `rows` runs. The index by user finds those of one user.
    private func first(of rows: Int64, _ connection: Connection) throws(SQLiteError) -> Int64? {
        let condition = filter.user == nil ? "" : "user = ? AND "
        return try connection.first(
            "SELECT min(id) FROM (SELECT id FROM run_started WHERE \(condition)id > 0 AND id <= ? ORDER BY id DESC LIMIT ?)",
            (filter.user.map { [.text($0)] } ?? []) + [.integer(last), .integer(rows)]
        ) { $0.integer(0) } ?? nil
    }
}
