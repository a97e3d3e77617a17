import AuditLog
import Encoding
import JSON
import OpenSSL
import RunProtocol
import SQLite

// Starts and ends of runs. Each is a row and its entry in the audit log, in one transaction.
extension HistoryStore {
    /// Records that a run starts, and assigns its number: the next one, without a gap. When this returns, the row is on the
    /// disk and signed.
    /// - Throws: ``HistoryError``; then nothing is recorded and the script must not start.
    package func recordStart(_ start: RunStart) throws(HistoryError) -> (run: Int64, checkpoint: SignedCheckpoint) {
        try holdReserve()
        let (run, checkpoint) = try write { connection in
            let run = try Self.nextRun(connection)
            try Self.insert(start, run, connection)
            return (run, try self.log.append([Self.entry(start, run)], to: connection).checkpoint)
        }
        known.note(LastRun(id: run, start, .running))
        return (run, checkpoint)
    }

    /// Records how a run ended. Leaves a run as it is if its end is recorded already. If the disk is full, gives up the
    /// reserve and tries once more.
    /// - Returns: false if an end was recorded before.
    @discardableResult
    package func recordFinish(_ finish: RunFinish, of run: Int64) throws(HistoryError) -> Bool {
        do { return try insertFinish(finish, of: run) } catch {
            guard error.isFull else { throw error }
            reserve.release()
            return try insertFinish(finish, of: run)
        }
    }

    /// Records a run that held the run lock and whose script could not start: start and end in one transaction.
    /// - Returns: the run's number.
    package func recordFailedStart(_ start: RunStart, _ finish: RunFinish) throws(HistoryError) -> Int64 {
        let run = try write { connection in
            let run = try Self.nextRun(connection)
            try Self.insert(start, run, connection)
            try Self.insert(finish, run, connection)
            try self.log.append([Self.entry(start, run), try Self.entry(finish, run)], to: connection)
            return run
        }
        known.note(LastRun(id: run, start, finish.outcome))
        return run
    }

    private func insertFinish(_ finish: RunFinish, of run: Int64) throws(HistoryError) -> Bool {
        let isNew = try write { connection in
            let recorded = try connection.first("SELECT 1 FROM run_finished WHERE id = ?", [.integer(run)]) { $0.integer(0) }
            guard try recorded == nil && !Self.hasEnd(run, connection) else { return false }
            try Self.insert(finish, run, connection)
            try self.log.append([try Self.entry(finish, run)], to: connection)
            return true
        }
        if isNew { known.noteEnd(of: run, finish.outcome) }
        return isNew
    }

    /// Whether the log has a run's end. If its row is missing nevertheless, somebody deleted the row. The verification finds
    /// that, and a second end would hide it.
    private static func hasEnd(_ run: Int64, _ connection: Connection) throws -> Bool {
        try newestLeaves(of: run, connection).contains { $0.event == Event.runFinished.rawValue }
    }

    private static func newestLeaves(of run: Int64, _ connection: Connection) throws -> [Leaf] {
        try connection.query(
            "SELECT bytes FROM run_entry JOIN leaf USING (entry) WHERE run = ? ORDER BY entry DESC LIMIT 1000", [.integer(run)]
        ) { $0.blob(0) ?? [] }.compactMap { try? Leaf(stored: $0) }
    }

    private static func nextRun(_ connection: Connection) throws(SQLiteError) -> Int64 {
        try connection.first("SELECT coalesce(max(id), 0) + 1 FROM run_started") { $0.integer(0) ?? 1 } ?? 1
    }

    /// Inserts the row of a start within the caller's transaction.
    package static func insert(_ start: RunStart, _ run: Int64, _ connection: Connection) throws(SQLiteError) {
        try RunTable.started.insert(start.members, run: run, connection)
    }

    /// Inserts the row of an end, and its output, within the caller's transaction.
    package static func insert(_ finish: RunFinish, _ run: Int64, _ connection: Connection) throws(SQLiteError) {
        try RunTable.finished.insert(finish.members, run: run, connection)
        try connection.execute("INSERT INTO run_output (id, bytes) VALUES (?, ?)", [.integer(run), .blob(finish.output)])
    }

    package static func entry(_ start: RunStart, _ run: Int64) -> AuditEntry { AuditEntry(.runStarted(run: run, start, .now())) }

    package static func entry(_ finish: RunFinish, _ run: Int64) throws -> AuditEntry {
        AuditEntry(.runFinished(run: run, finish, storedOutput: Hex.text(try SHA256.digest(finish.output))))
    }
}

// What is asked about runs while they go on.
extension HistoryStore {
    /// The newest run as far as this process knows: what it recorded itself at once, what others recorded after
    /// ``refreshLastRun()``. nil if there was none. Reads nothing.
    package var lastRun: LastRun? { known.lastRun }

    /// Reads the newest run, which another process may have recorded.
    package func refreshLastRun() throws(HistoryError) {
        guard let found = try reader.read({ try LastRun.read($0) }) else { return }
        known.note(found)
    }

    /// Reads the start times of new runs. Reads nothing while the newest run is the one that ``lastRun`` was then.
    func refreshStartTimes() throws(HistoryError) { try reader.readStartTimes(upTo: lastRun?.id ?? 0) }

    /// Runs with a start and no end, oldest first.
    package func unfinishedRuns() throws(HistoryError) -> [Int64] { try reader.unfinishedRuns() }

    /// Whether the log says that an administrator was told that this run is being ended.
    package func isCancelPromised(_ run: Int64) throws(HistoryError) -> Bool {
        try reader.read { connection in
            try Self.newestLeaves(of: run, connection).contains {
                $0.event == Event.runCancelAnswered.rawValue && $0.object["outcome"] == .string(CancelAnswer.ending.rawValue)
            }
        }
    }
}
