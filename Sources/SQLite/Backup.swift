import CSQLite
import Glibc

/// How a backup shares the database with writers.
package struct BackupPace: Sendable {
    /// How many pages a step copies. It holds the lock meanwhile.
    package var pagesPerStep: Int32 = 256
    /// How often it restarts because of a write before it locks out writers.
    package var restarts = 3
    /// How long it may lock out writers, in seconds. Writers must wait longer than this.
    package var longestLock: Double = 20

    package init() {}
}

extension Connection {
    /// Copies the whole database, as it is at one moment, into another connection's file and replaces its content
    /// (https://www.sqlite.org/c3ref/backup_finish.html).
    ///
    /// It copies in steps and holds no lock between them, so that others can write. After a write by another connection SQLite
    /// restarts the copy, because it cannot tell which pages changed. In a busy database that would never end, so after a few
    /// restarts the rest is copied under one read lock. The pages are in memory by then, so this is fast, and its time is
    /// limited: the backup succeeds or fails, and never goes on for ever.
    ///
    /// - Parameter pause: called between two steps, without a lock.
    /// - Throws: ``SQLiteError``; `isBusy` if the lock was needed for longer than the pace allows.
    package func backUp(to target: Connection, pace: BackupPace = BackupPace(), pause: () -> Void = { usleep(1000) }) throws(SQLiteError) {
        let copy = try BackupCopy(from: self, to: target)
        var restarts = 0
        var remaining = Int32.max
        while restarts <= pace.restarts {
            if try copy.step(pace.pagesPerStep) { return try copy.finish() }
            // A copy that was not restarted has less left after each step.
            if copy.remaining >= remaining { restarts += 1 }
            remaining = copy.remaining
            pause()
        }
        try finishLocked(copy, pace)
    }

    private func finishLocked(_ copy: BackupCopy, _ pace: BackupPace) throws(SQLiteError) {
        try execute("BEGIN")
        defer { try? execute("COMMIT") }
        // BEGIN alone takes no lock.
        _ = try first("SELECT 1 FROM sqlite_schema") { _ in true }
        let started = BackupCopy.seconds()
        while try !copy.step(pace.pagesPerStep) {
            guard BackupCopy.seconds() - started < pace.longestLock else {
                throw SQLiteError(
                    extendedCode: SQLITE_BUSY,
                    message:
                        "the database was written \(pace.restarts + 1) times while it was copied, and copying it without a write takes longer than \(Int(pace.longestLock)) s",
                    context: BackupCopy.context)
            }
        }
        try copy.finish()
    }
}

/// The only owner of a `sqlite3_backup`.
private final class BackupCopy {
    static let context = "backup"
    private var backup: OpaquePointer?
    private let destination: OpaquePointer

    init(from source: Connection, to target: Connection) throws(SQLiteError) {
        let origin = try source.handle(for: Self.context)
        destination = try target.handle(for: Self.context)
        backup = sqlite3_backup_init(destination, "main", origin, "main")
        guard backup != nil else { throw SQLiteError(sqlite3_errcode(destination), of: destination, context: Self.context) }
    }

    deinit { sqlite3_backup_finish(backup) }

    /// How many pages were left after the last step.
    var remaining: Int32 { sqlite3_backup_remaining(backup) }

    /// - Returns: whether all pages are copied.
    func step(_ pages: Int32) throws(SQLiteError) -> Bool {
        switch sqlite3_backup_step(backup, pages) {
        case SQLITE_DONE: return true
        case SQLITE_OK: return false
        case let code: throw SQLiteError(code, of: destination, context: Self.context)
        }
    }

    func finish() throws(SQLiteError) {
        let code = sqlite3_backup_finish(backup)
        backup = nil
        guard code == SQLITE_OK else { throw SQLiteError(code, of: destination, context: Self.context) }
    }

    static func seconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
