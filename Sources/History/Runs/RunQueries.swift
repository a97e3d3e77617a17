import RunProtocol
import SQLite

extension HistoryReader {
    /// One page of runs, newest first. Reads in short steps, so that no writer waits for a search.
    /// - Returns: the runs, and where the next page begins; nil at the end.
    package func runs(_ filter: RunFilter) throws(HistoryError) -> (runs: [RunRecord], next: Int64?) {
        var page = RunPage(filter)
        while !page.isFull {
            guard let step = try shortRead({ [page] connection in try page.step(of: Self.rowsPerRead, connection) }) else { break }
            page.add(step)
        }
        return (page.runs, page.next)
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
        let outcomes = Outcome.ends.filter(\.scriptBeganWork)
        let marks = outcomes.map { _ in "?" }.joined(separator: ", ")
        return try connection.first(
            "SELECT id, started_at FROM runs WHERE outcome IN (\(marks)) ORDER BY id DESC LIMIT 1", outcomes.map { .text($0.rawValue) }
        ) { (run: $0.integer(0) ?? 0, at: $0.text(1) ?? "") }
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
