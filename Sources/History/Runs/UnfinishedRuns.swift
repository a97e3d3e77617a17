import SQLite
import Synchronization

/// Finds the runs that have not ended. A run that has ended stays ended, so each one is read once.
final class UnfinishedRuns: Sendable {
    /// All runs up to this one have ended; nil before the first search.
    private let finishedUpTo = Mutex<Int64?>(nil)

    /// Oldest first.
    /// - Parameters:
    ///   - beginning: gives a number up to which all runs have ended. Only the first search calls it.
    ///   - page: reads runs with greater numbers than the given one, in order; empty at the end.
    func find<Failure: Error>(
        after beginning: () throws(Failure) -> Int64, _ page: (_ after: Int64) throws(Failure) -> [(run: Int64, isFinished: Bool)]
    ) throws(Failure) -> [Int64] {
        var unfinished: [Int64] = []
        var last: Int64
        if let known = finishedUpTo.withLock({ $0 }) { last = known } else { last = try beginning() }
        while true {
            let runs = try page(last)
            unfinished += runs.filter { !$0.isFinished }.map(\.run)
            // In a file whose pages were edited, reading on may lead back.
            guard let newest = runs.last?.run, newest > last else { break }
            last = newest
        }
        let settled = unfinished.first.map { $0 - 1 } ?? last
        finishedUpTo.withLock { $0 = max($0 ?? settled, settled) }
        return unfinished
    }
}

extension HistoryReader {
    /// Runs with a start and no end, oldest first.
    package func unfinishedRuns() throws(HistoryError) -> [Int64] {
        try unfinished.find(after: { () throws(HistoryError) in try newestBeforeUnfinishedRuns() }) { after throws(HistoryError) in
            try read { connection in
                try connection.query(
                    "SELECT s.id, f.id FROM run_started s LEFT JOIN run_finished f ON f.id = s.id WHERE s.id > ? ORDER BY s.id LIMIT 20000",
                    [.integer(after)]
                ) { (run: $0.integer(0) ?? 0, isFinished: !$0.isNull(1)) }
            }
        }
    }

    /// A number up to which all runs have ended. The tables' lengths say how many have not, and those are the newest ones
    /// unless something went wrong. Lengths that do not fit are damage, which the verification finds.
    private func newestBeforeUnfinishedRuns() throws(HistoryError) -> Int64 {
        var (before, missing) = try read { connection in
            func number(_ sql: String) throws(SQLiteError) -> Int64 { try connection.first(sql) { $0.integer(0) ?? 0 } ?? 0 }
            let missing = try number("SELECT count(*) FROM run_started") - number("SELECT count(*) FROM run_finished")
            return (try number("SELECT max(id) FROM run_started") &+ 1, missing)
        }
        try readInSteps { connection in
            guard missing != 0 else { return false }
            let runs = try connection.query(
                """
                SELECT s.id, f.id FROM run_started s LEFT JOIN run_finished f ON f.id = s.id WHERE s.id > 0 AND s.id < ? \
                ORDER BY s.id DESC LIMIT 20000
                """, [.integer(before)]
            ) { (run: $0.integer(0) ?? 0, isFinished: !$0.isNull(1)) }
            guard let last = runs.last, last.run < before else {
                before = 1
                return false
            }
            for run in runs where missing != 0 {
                before = run.run
                if !run.isFinished { missing -= 1 }
            }
            return true
        }
        return before &- 1
    }
}
