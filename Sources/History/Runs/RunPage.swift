import SQLite

/// A page of a list of runs, newest first. It is filled in steps, so that no read transaction is long, and it examines a
/// bounded number of runs. So it may be short although there are more runs.
struct RunPage {
    /// How many runs a page examines at most.
    static let mostExamined: Int64 = 10_000

    private let filter: RunFilter
    /// The numbers that are not examined yet, the smallest ones first.
    private var ranges: [ClosedRange<Int64>]
    private var examined: Int64 = 0
    private var found: [RunRecord] = []

    /// - Parameter ranges: numbers of runs, newest first, outside of which no run is on the list.
    init(_ filter: RunFilter, in ranges: [ClosedRange<Int64>] = [1...Int64.max]) {
        self.filter = filter
        let newest = filter.before.map { $0 == .min ? .min : $0 - 1 } ?? .max
        self.ranges = ranges.reversed().compactMap { range in
            range.lowerBound <= newest ? range.lowerBound...min(range.upperBound, newest) : nil
        }
    }

    /// One run more than the page has shows that there is a next page.
    private var isFull: Bool { found.count > filter.limit }
    var runs: [RunRecord] { Array(found.prefix(filter.limit)) }
    /// Where the next page begins; nil at the end.
    var next: Int64? { isFull ? runs.last?.id : ranges.last.map { $0.upperBound &+ 1 } }

    /// Examines the next `rows` runs, fewer at the end and at the bound.
    /// - Returns: whether the page needs another step.
    mutating func step(of rows: Int64, _ connection: Connection) throws(SQLiteError) -> Bool {
        var rest = min(rows, Self.mostExamined - examined)
        while rest > 0, !isFull, let range = ranges.popLast() {
            let (source, count, first) = try part(of: range, rest, connection)
            if count > 0 {
                let (sql, values) = filter.page(from: source)
                let missing = Int64(filter.limit + 1 - found.count)
                found += try connection.query(
                    sql, [.integer(first), .integer(range.upperBound)] + values + [.integer(missing)]
                ) { RunRecord($0) }
            }
            if first > range.lowerBound { ranges.append(range.lowerBound...(first - 1)) }
            rest -= max(1, count)
            examined += max(1, count)
        }
        return !isFull && !ranges.isEmpty && examined < Self.mostExamined
    }

    /// The part of a range, down to the number `first`, in which a source has at most `rows` runs: of all sources the one that
    /// gets furthest.
    private func part(
        of range: ClosedRange<Int64>, _ rows: Int64, _ connection: Connection
    ) throws(SQLiteError) -> (source: RunFilter.Source, count: Int64, first: Int64) {
        var best: (source: RunFilter.Source, count: Int64, first: Int64)?
        for source in filter.sources {
            let (sql, values) = filter.count(in: source)
            let found = try connection.first(sql, values + [.integer(range.lowerBound), .integer(range.upperBound), .integer(rows)]) {
                (count: $0.integer(0) ?? 0, first: $0.integer(1) ?? range.lowerBound)
            }
            let (count, first) = found ?? (0, range.lowerBound)
            let part = (source: source, count: count, first: count < rows ? range.lowerBound : first)
            if best.map({ (part.first, part.count) < ($0.first, $0.count) }) ?? true { best = part }
        }
        return best ?? (.all, 0, range.lowerBound)
    }
}
