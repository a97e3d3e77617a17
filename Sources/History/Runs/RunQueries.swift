import RunProtocol
import SQLite
import Synchronization

extension HistoryReader {
    /// One page of runs, newest first. Reads in short steps, so that no writer waits for a search.
    /// - Returns: the runs, and where the next page begins; nil at the end. A page that examined as many runs as it may is
    ///   short, and has a next one.
    package func runs(_ filter: RunFilter) throws(HistoryError) -> (runs: [RunRecord], next: Int64?) {
        var page = RunPage(filter, in: try ranges(filter))
        try readInSteps { try page.step(of: Self.rowsPerRead, $0) }
        return (page.runs, page.next)
    }

    /// Numbers of runs, newest first, outside of which no run is on the list.
    private func ranges(_ filter: RunFilter) throws(HistoryError) -> [ClosedRange<Int64>] {
        // Few runs are under way, and no index knows them.
        if filter.outcome == .running { return try unfinishedRuns().reversed().map { $0...$0 } }
        let (since, until) = (filter.since.map(Timestamp.text), filter.until.map(Timestamp.text))
        guard since != nil || until != nil else { return [1...Int64.max] }
        return try readStartTimes().ranges(since: since, until: until)
    }

    /// Reads the start times of the runs that are not known yet: of all runs the first time.
    /// - Parameter run: up to here at least.
    @discardableResult
    func readStartTimes(upTo run: Int64 = .max) throws(HistoryError) -> StartTimes {
        var times = startTimes.withLock { $0 }
        guard times.last < run else { return times }
        try readInSteps { try times.readOn($0) }
        startTimes.withLock { if times.last > $0.last { $0 = times } }
        return times
    }

    /// - Returns: nil if there is no such run.
    package func run(_ id: Int64) throws(HistoryError) -> RunRecord? {
        try read { connection in
            try connection.first("SELECT \(RunTable.runs.selection) FROM runs WHERE id = ?", [.integer(id)]) { RunRecord($0) }
        }
    }

    /// The newest run that is over and whose script began its work.
    /// - Returns: its number and start in milliseconds since 1970 UTC; nil if there is none.
    package func lastStart() throws(HistoryError) -> (run: Int64, at: Int64)? {
        let found = try read { connection in try Self.lastStart(connection) }
        guard let found, let at = Timestamp.milliseconds(parsing: found.at) else { return nil }
        return (found.run, at)
    }

    static func lastStart(_ connection: Connection) throws(SQLiteError) -> (run: Int64, at: String)? {
        var newest: Int64?
        // One search of the index for each. All at once would read all of them.
        for outcome in Outcome.ends where outcome.scriptBeganWork {
            let run = try connection.first("SELECT max(id) FROM run_finished WHERE outcome = ?", [.text(outcome.rawValue)]) { $0.integer(0) }
            newest = [newest, run ?? nil].compactMap { $0 }.max()
        }
        guard let newest else { return nil }
        return try connection.first("SELECT started_at FROM run_started WHERE id = ?", [.integer(newest)]) { (newest, $0.text(0) ?? "") }
    }

    /// Why a run did not succeed, in the words of the documented answer; nil if it succeeded or is not over.
    package func why(_ id: Int64) throws(HistoryError) -> String? {
        try read { connection in
            try connection.first("SELECT why FROM run_finished WHERE id = ?", [.integer(id)]) { $0.text(0) } ?? nil
        }
    }

    /// How many bytes of a run's output are stored; nil if none are.
    package func storedOutputBytes(of id: Int64) throws(HistoryError) -> Int64? {
        try read { connection in try Self.outputLength(of: id, connection) }
    }

    /// A piece of a run's stored output. It has fewer bytes than `count` only at the end of the output.
    /// - Parameter offset: in bytes, 0 or more.
    package func output(of id: Int64, offset: Int64, count: Int64) throws(HistoryError) -> [UInt8] {
        try read { connection in
            guard let size = try Self.outputLength(of: id, connection), offset < size else { return [] }
            var bytes: [UInt8] = []
            try connection.forEachBlobPiece(
                table: "run_output", column: "bytes", rowid: id, offset: Int(offset), count: Int(min(count, size - offset))
            ) { bytes += $0 }
            return bytes
        }
    }

    private static func outputLength(of id: Int64, _ connection: Connection) throws(SQLiteError) -> Int64? {
        try connection.first("SELECT length(bytes) FROM run_output WHERE id = ?", [.integer(id)]) { $0.integer(0) } ?? nil
    }
}
