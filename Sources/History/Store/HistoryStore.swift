import AuditLog
import Diagnostics
import Glibc
import Linux
import Migrations
import SQLite
import Synchronization

/// The record of all runs, and the audit log that proves it. The only writer of a history in this process.
///
/// Calls block. Make them on a thread of a pool, never on an event loop. What the store records stands in extensions:
/// runs, events, key rotation.
package final class HistoryStore: Sendable {
    package let path: String
    /// A second connection, so that a writer that waits for the disk does not hold up readers.
    package let reader: HistoryReader
    package let log: StoredLog
    let reserve: DiskReserve
    let checkpointFile: CheckpointFile?
    let permission: WritePermission
    let known = KnownRuns()
    /// `writer` must be held for a whole transaction, and until `log` remembers its checkpoint: `log` compares the next
    /// transaction with the newest checkpoint, so it must learn of checkpoints in the order of the commits.
    private let writer: Mutex<Connection>
    /// The file that is open.
    private let opened: FileFacts

    /// How long a recording waits for readers: longer than the longest of them, a backup, may keep writers out
    /// (``SQLite/BackupPace/longestLock``). All others read in short steps.
    static let writerPatienceMilliseconds: Int32 = 30_000

    /// Opens the database, creates it if there is none, and brings its schema up to date. Begins the audit log if it has no
    /// entries.
    /// - Parameter reserve: room for the end of a run.
    /// - Throws: ``HistoryError``. A database that is not ours, or that is newer, is not changed.
    package init(opening path: String, reserve: DiskReserve, audit: AuditSettings) throws(HistoryError) {
        self.path = path
        self.reserve = reserve
        checkpointFile = audit.checkpointFile
        do {
            // Read before the database, which then holds all that the file does.
            let outside = Self.checkpoints(in: audit.checkpointFile)
            let writer = try Connection(path: path, mode: .create, busyTimeoutMilliseconds: Self.writerPatienceMilliseconds)
            try HistorySchema.migrate(writer)
            let reader = try HistoryReader(opening: path)
            let beginning = try Beginning(writer, audit) { keys in
                guard let file = audit.checkpointFile, let outside else { return nil }
                var witness = Witness(file, outside, keys: keys, reader)
                return try witness.rollback()
            }
            log = beginning.log
            permission = WritePermission(refused: beginning.refusal)
            if let head = try StoredLog.head(writer) { log.remember(head) }
            self.writer = Mutex(writer)
            self.reader = reader
            opened = try Files.facts(path, followLink: false)
        } catch {
            throw HistoryError(path, error)
        }
    }

    /// The checkpoints that left this history earlier. A file that cannot be read stops no run, because its disk may be away.
    private static func checkpoints(in file: CheckpointFile?) -> CheckpointFile.Content? {
        do { return try file?.read() } catch {
            printToStandardError("sync-service: warning: AUDIT_CHECKPOINT_FILE: \(error); it cannot show whether the history was rolled back")
            return nil
        }
    }

    /// Runs `body` in one transaction, which the entries in it end with a signed checkpoint. When this returns, all of it is
    /// on the disk.
    ///
    /// Takes `writer`: `body` must not call this again.
    /// - Throws: ``HistoryError``, also if nothing may be written. After an I/O error nothing may be written until a restart.
    func write<Result: Sendable>(_ body: (Connection) throws -> Result) throws(HistoryError) -> Result {
        try permission.require(path)
        do {
            let (result, checkpoint) = try writer.use { connection in
                let result = try connection.transaction { try body(connection) }
                let head = try StoredLog.head(connection)
                if let head { log.remember(head) }
                return (result, head)
            }
            if let checkpoint { checkpointFile?.append(checkpoint) }
            return result
        } catch {
            if case StoredLogError.rolledBack? = error as? StoredLogError { permission.refuse("\(error)", isRolledBack: true) }
            let error = HistoryError(path, error)
            // After an I/O error the content of the disk is unknown: a row may be there although its commit failed.
            if error.isIOError { permission.latch() }
            throw error
        }
    }
}

// What readiness asks. None of it waits for a writer.
extension HistoryStore {
    /// Whether a failed disk has ended all writing until a restart.
    package var isLatched: Bool { permission.isLatched }

    /// Whether the file at the path is the one that is open. If it is another, nothing is recorded into it.
    package var isInPlace: Bool { (try? Files.facts(path, followLink: false))?.isSameFile(as: opened) ?? false }

    /// Why runs are refused; nil if nothing is known against the audit log.
    package var knownDamage: String? { permission.refusal?.problem }

    /// Whether runs are refused because an older or another history was put in this one's place.
    package var isRolledBack: Bool { permission.refusal?.isRolledBack ?? false }

    /// Refuses runs from now on, until ``resume(by:reason:problems:accepted:)``.
    /// - Parameter problem: what a verification found.
    func declareDamaged(_ problem: String) { permission.refuse(problem) }

    /// Takes the room for the end of a run, if it is not taken yet.
    package func holdReserve() throws(HistoryError) {
        do { try reserve.hold() } catch {
            throw HistoryError("no room is left to record the end of a run (\(error)); make room on the disk of \(path)", cause: error)
        }
    }
}
