import Glibc
import Linux
import Migrations
import RunProtocol
import SQLite
import Synchronization

/// The history cannot be opened, read or written. A person reads this in a log or on a terminal.
struct HistoryError: Error, CustomStringConvertible {
    let description: String
    var isFull = false
    var isIOError = false

    init(_ description: String) { self.description = description }

    init(_ path: String, _ error: any Error) {
        if let error = error as? SQLiteError {
            isFull = error.isFull
            isIOError = error.isIOError
        }
        description = "\(path): \(error)"
    }
}

/// The record of all runs. Calls block: on threads of their own, never on an event loop.
final class History: Sendable {
    let path: String
    private let writer: Mutex<Connection>
    /// Readers are not held up by a writer that waits for the disk.
    private let reader: Mutex<Connection>
    private let reserve: DiskReserve
    /// Set by an I/O error while writing: what the kernel says of this file is not believed again until a restart.
    private let latched = Mutex(false)

    /// Opens the database, creating it and bringing its schema up to date.
    /// - Parameter reserve: room for the end of a run.
    /// - Throws: ``HistoryError``; a database that is not ours, or newer, is left untouched.
    init(opening path: String, reserve: DiskReserve) throws(HistoryError) {
        self.path = path
        self.reserve = reserve
        do {
            let writer = try Connection(path: path, mode: .create)
            let migrator = Migrator(applicationID: HistorySchema.applicationID, migrations: HistorySchema.migrations)
            _ = try migrator.apply(to: writer, now: Timestamp.text(Clock.wallMilliseconds()))
            self.writer = Mutex(writer)
            self.reader = Mutex(try Connection(path: path, mode: .readOnly))
        } catch {
            throw HistoryError(path, error)
        }
    }

    /// Records that a run starts and gives out its number, the next one without a gap. When this returns the row is on
    /// the disk.
    func recordStart(_ start: RunStart) throws(HistoryError) -> Int64 {
        try holdReserve()
        return try write { connection in
            let id = try Self.nextID(connection)
            try Self.insert(start, id: id, connection)
            return id
        }
    }

    /// Records how a run ended. A run that is recorded already is left as it is.
    func recordFinish(_ finish: RunFinish, of run: Int64) throws(HistoryError) {
        do { try insertFinish(finish, of: run) } catch {
            guard error.isFull else { throw error }
            // This is what the reserve is kept for.
            reserve.release()
            try insertFinish(finish, of: run)
        }
    }

    private func insertFinish(_ finish: RunFinish, of run: Int64) throws(HistoryError) {
        try write { connection in
            let recorded = try connection.first("SELECT 1 FROM run_finished WHERE id = ?", [.integer(run)]) { $0.integer(0) }
            if recorded == nil { try Self.insert(finish, id: run, connection) }
        }
    }

    /// Whether writing is over until a restart.
    var isLatched: Bool { latched.withLock { $0 } }

    /// Keeps room for the end of a run.
    func holdReserve() throws(HistoryError) {
        do { try reserve.hold() } catch {
            throw HistoryError("no room is left to record the end of a run (\(error)); make room on the disk of \(path)")
        }
    }

    /// Records a run that held the lease and was not started, in one step.
    func recordFailedStart(_ start: RunStart, _ finish: RunFinish) throws(HistoryError) -> Int64 {
        try write { connection in
            let id = try Self.nextID(connection)
            try Self.insert(start, id: id, connection)
            try Self.insert(finish, id: id, connection)
            return id
        }
    }

    /// Runs with a start and no end, oldest first.
    func unfinishedRuns() throws(HistoryError) -> [Int64] {
        try read { connection in
            try connection.query(
                "SELECT id FROM run_started WHERE id NOT IN (SELECT id FROM run_finished) ORDER BY id"
            ) { $0.integer(0) ?? 0 }
        }
    }

    func read<Result: Sendable>(_ body: (Connection) throws -> Result) throws(HistoryError) -> Result {
        try locked(reader) { connection in try connection.read { try body(connection) } }
    }

    private func write<Result: Sendable>(_ body: (Connection) throws -> Result) throws(HistoryError) -> Result {
        guard !isLatched else {
            throw HistoryError("\(path): the disk failed while it was written; check disk and file system, then restart the service")
        }
        do { return try locked(writer) { connection in try connection.transaction { try body(connection) } } } catch {
            // After an I/O error nobody knows what is on the disk: a row may be kept although its commit failed.
            if error.isIOError { latched.withLock { $0 = true } }
            throw error
        }
    }

    private func locked<Result: Sendable>(
        _ connection: borrowing Mutex<Connection>, _ body: (Connection) throws -> Result
    ) throws(HistoryError) -> Result {
        do {
            return try connection.withLock { try body($0) }
        } catch {
            throw HistoryError(path, error)
        }
    }

    private static func nextID(_ connection: Connection) throws(SQLiteError) -> Int64 {
        try connection.first("SELECT coalesce(max(id), 0) + 1 FROM run_started") { $0.integer(0) ?? 1 } ?? 1
    }

    private static func insert(_ start: RunStart, id: Int64, _ connection: Connection) throws(SQLiteError) {
        try connection.execute(
            """
            INSERT INTO run_started (id, user, user_name, token_fingerprint, "trigger", reason, source_ip, request_id,
                started_at, script_path, script_sha256, script_uid, isolated, boot_id)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .integer(id), .text(start.requester.user), .optional(start.requester.userName),
                .optional(start.requester.tokenFingerprint), .text(start.requester.trigger.rawValue),
                .optional(start.requester.reason), .optional(start.requester.sourceIP),
                .text(start.requester.requestID), .text(Timestamp.text(start.startedAt)), .text(start.scriptPath),
                .optional(start.scriptSHA256), .optional(start.scriptUID), .flag(start.isolated), .optional(start.bootID),
            ])
    }

    private static func insert(_ finish: RunFinish, id: Int64, _ connection: Connection) throws(SQLiteError) {
        try connection.execute(
            """
            INSERT INTO run_finished (id, finished_at, finished_at_exact, duration_ms, outcome, why, exit_code, signal,
                output_bytes, output_truncated, output_sha256, script_changed, lock_file_seen)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .integer(id), .text(Timestamp.text(finish.finishedAt)), .flag(finish.finishedAtExact),
                .optional(finish.durationMilliseconds), .text(finish.outcome.rawValue), .optional(finish.why),
                .optional(finish.exitCode), .optional(finish.signal), .optional(finish.outputBytes),
                .flag(finish.outputTruncated), .optional(finish.outputSHA256), .flag(finish.scriptChanged),
                .flag(finish.lockFileSeen),
            ])
        try connection.execute("INSERT INTO run_output (id, bytes) VALUES (?, ?)", [.integer(id), .blob(finish.output)])
    }
}

extension Value {
    fileprivate static func flag(_ flag: Bool?) -> Value { flag.map { .integer($0 ? 1 : 0) } ?? .null }
}
