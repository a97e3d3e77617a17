import SQLite

/// The start times of all runs in short, in memory: one of each few hundred runs, in parts within which no run starts before
/// an older one.
///
/// As long as nobody sets the clock back there is one part. A filter by time then is about one range of numbers. An index by
/// time could not give the runs in the order of a page, which is that of the numbers. No run ever changes, so each is read
/// once.
struct StartTimes: Sendable {
    private struct Part {
        /// Every few hundredth run, the first one among them.
        var marks: [(run: Int64, time: [UInt8])]
        var last: Int64
        var latest: [UInt8]
        var runsSinceMark = 1
    }

    private var parts: [Part] = []

    /// A clock that goes back more often is not followed further; the filter then examines every run.
    private static let mostParts = 1000
    static let runsPerMark = 256
    private static let rowsPerStep: Int64 = 20_000

    /// All runs up to this number are known.
    private(set) var last: Int64 = 0

    /// Reads the next runs.
    /// - Returns: whether there may be more.
    mutating func readOn(_ connection: Connection) throws(SQLiteError) -> Bool {
        guard parts.count <= Self.mostParts else { return false }
        var time: [UInt8] = []
        var (count, newest) = (Int64(0), last)
        try connection.forEach(
            "SELECT id, started_at FROM run_started WHERE id > ? ORDER BY id LIMIT ?", [.integer(last), .integer(Self.rowsPerStep)]
        ) { row throws(SQLiteError) in
            // In a file whose pages were edited, reading on may lead back.
            guard let run = row.integer(0), run > newest else { return }
            time.removeAll(keepingCapacity: true)
            // A value that is no text stays an empty one.
            _ = row.append(1, to: &time)
            add(run, &time)
            (count, newest) = (count + 1, run)
        }
        last = newest
        return count == Self.rowsPerStep
    }

    /// Leaves other bytes in `time`, so that no array is made for each run.
    private mutating func add(_ run: Int64, _ time: inout [UInt8]) {
        let index = parts.count - 1
        guard index >= 0, !time.lexicographicallyPrecedes(parts[index].latest) else {
            parts.append(Part(marks: [(run, time)], last: run, latest: time))
            return
        }
        if parts[index].runsSinceMark == Self.runsPerMark {
            parts[index].marks.append((run, time))
            parts[index].runsSinceMark = 0
        }
        parts[index].runsSinceMark += 1
        parts[index].last = run
        swap(&parts[index].latest, &time)
    }

    /// Numbers of runs, newest first. No known run of this time is outside of them; within them are a few hundred others at most
    /// for each part.
    /// - Parameters:
    ///   - since: as stored; nil for the beginning.
    ///   - until: the first time behind; nil for the end.
    func ranges(since: String?, until: String?) -> [ClosedRange<Int64>] {
        guard parts.count <= Self.mostParts else { return [1...Int64.max] }
        let (since, until) = (since.map { Array($0.utf8) }, until.map { Array($0.utf8) })
        return parts.reversed().compactMap { part in
            if let since, part.latest.lexicographicallyPrecedes(since) { return nil }
            let first = since.map { Self.marksBefore($0, part).last?.run ?? part.marks[0].run } ?? part.marks[0].run
            let end = until.flatMap { time in part.marks.dropFirst(Self.marksBefore(time, part).count).first?.run }
            let last = end.map { $0 - 1 } ?? part.last
            return first <= last ? first...last : nil
        }
    }

    /// The marks of a part that start before this time.
    private static func marksBefore(_ time: [UInt8], _ part: Part) -> ArraySlice<(run: Int64, time: [UInt8])> {
        var range = part.marks.indices
        while !range.isEmpty {
            let middle = (range.lowerBound + range.upperBound) / 2
            if part.marks[middle].time.lexicographicallyPrecedes(time) {
                range = (middle + 1)..<range.upperBound
            } else {
                range = range.lowerBound..<middle
            }
        }
        return part.marks[..<range.lowerBound]
    }
}
