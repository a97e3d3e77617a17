import AuditLog
import Diagnostics
import Encoding
import Glibc
import JSON
import Linux
import Migrations
import OpenSSL
import RunProtocol
import SQLite
import Synchronization

/// The record of all runs and the audit log that proves it. Calls block: on threads of their own, never on an event loop.
package final class HistoryStore: Sendable {
    package let path: String
    /// Readers are not held up by a writer that waits for the disk.
    package let reader: HistoryReader
    package let log: StoredLog
    private let writer: Mutex<Connection>
    private let reserve: DiskReserve
    private let checkpointFile: CheckpointFile?
    /// The file that is open.
    private let opened: FileFacts
    /// Set by an I/O error while writing: what the kernel says of this file is not believed again until a restart.
    private let latched = Mutex(false)
    private let damage = Mutex<ReasonToRefuse?>(nil)
    /// All runs up to this one have ended.
    private let finishedUpTo = Mutex<Int64>(0)
    /// Kept in memory, because every question for the status asks for it.
    private let newest = Mutex<LastRun?>(nil)

    /// Why nothing may be recorded any more.
    private struct ReasonToRefuse {
        /// The audit log is damaged, not the one that is pinned, or not the newest one.
        package let problem: String
        var rollback: Rollback?
        package var isRolledBack = false
    }

    /// How long a recording waits for readers: longer than the longest of them, a backup, may keep writers out
    /// (``SQLite/BackupPace/longestLock``). All others read in short steps.
    static let writerPatienceMilliseconds: Int32 = 30_000

    /// Opens the database, creating it and bringing its schema up to date, and begins the audit log where there is none.
    /// - Parameter reserve: room for the end of a run.
    /// - Throws: ``HistoryError``; a database that is not ours, or newer, is left untouched.
    package init(opening path: String, reserve: DiskReserve, audit: AuditSettings) throws(HistoryError) {
        self.path = path
        self.reserve = reserve
        checkpointFile = audit.checkpointFile
        do {
            let outside = Self.checkpoints(in: audit.checkpointFile)
            let writer = try Connection(path: path, mode: .create, busyTimeoutMilliseconds: Self.writerPatienceMilliseconds)
            let migrator = Migrator(applicationID: HistorySchema.applicationID, migrations: HistorySchema.migrations)
            _ = try migrator.apply(to: writer, now: Timestamp.text(Clock.wallMilliseconds()))
            let reader = try HistoryReader(opening: path)
            let (log, damage) = try Self.begin(writer, audit) { keys in
                guard let file = audit.checkpointFile, let outside else { return nil }
                var witness = Witness(file, outside, keys: keys, reader)
                return try witness.rollback()
            }
            self.log = log
            self.damage.withLock { $0 = damage }
            if let head = try StoredLog.head(writer) { log.remember(head) }
            self.writer = Mutex(writer)
            self.reader = reader
            opened = try Files.facts(path, followLink: false)
        } catch {
            throw HistoryError(path, error)
        }
    }

    /// What left this history earlier. A file that cannot be read stops no run: it may be on a disk that is away.
    private static func checkpoints(in file: CheckpointFile?) -> CheckpointFile.Content? {
        do { return try file?.read() } catch {
            printToStandardError("sync-service: warning: AUDIT_CHECKPOINT_FILE: \(error); it cannot show whether the history was rolled back")
            return nil
        }
    }

    /// Opens the audit log or, where there is none, begins it.
    /// - Parameter rollback: tells whether this is the newest history, by the keys that may have signed it.
    /// - Returns: it, and why it is not the one that is expected.
    private static func begin(
        _ writer: Connection, _ audit: AuditSettings, rollback: ([VerifierKey]) throws -> Rollback?
    ) throws -> (StoredLog, ReasonToRefuse?) {
        func problem(_ beginning: Genesis, _ log: StoredLog) throws -> ReasonToRefuse? {
            let key = log.signer.verifierKey
            let rollback = try rollback(Array(Set([key, beginning.firstKey, audit.pinned].compactMap { $0 })))
            let problem = try beginning.problem(pinned: audit.pinned, signer: log.signer, writer) ?? rollback?.description
            return problem.map { ReasonToRefuse(problem: $0, rollback: rollback, isRolledBack: rollback != nil) }
        }
        func open() throws -> (Genesis, StoredLog) {
            let beginning = try Genesis(writer)
            return (beginning, StoredLog(signer: try AuditKey.load(audit, hasEntries: beginning.hasEntries, head: try StoredLog.head(writer))))
        }
        if try Genesis(writer).hasEntries {
            let (beginning, log) = try open()
            return (log, try problem(beginning, log))
        }
        // Looked at again with the write lock: of several first starts one makes key and beginning.
        return try writer.transaction {
            let (beginning, log) = try open()
            // Nothing is signed over a size that was signed before.
            if let damage = try problem(beginning, log) { return (log, damage) }
            if !beginning.hasEntries { try beginning.write(log, writer) }
            return (log, nil)
        }
    }

    /// Records that a run starts and gives out its number, the next one without a gap. When this returns the row is on
    /// the disk and signed for.
    package func recordStart(_ start: RunStart) throws(HistoryError) -> (run: Int64, checkpoint: SignedCheckpoint) {
        try holdReserve()
        let (run, checkpoint) = try write { connection in
            let run = try Self.nextRun(connection)
            try Self.insert(start, run, connection)
            return (run, try self.log.append([Self.entry(start, run)], to: connection).checkpoint)
        }
        noteLastRun(LastRun(id: run, user: start.requester.user, trigger: start.requester.trigger.rawValue, outcome: Outcome.running.rawValue))
        return (run, checkpoint)
    }

    /// Records how a run ended. A run that is recorded already is left as it is.
    /// - Returns: false where it was recorded before.
    @discardableResult
    package func recordFinish(_ finish: RunFinish, of run: Int64) throws(HistoryError) -> Bool {
        do { return try insertFinish(finish, of: run) } catch {
            guard error.isFull else { throw error }
            // This is what the reserve is kept for.
            reserve.release()
            return try insertFinish(finish, of: run)
        }
    }

    /// Records a run that held the run lock and was not started, in one step.
    package func recordFailedStart(_ start: RunStart, _ finish: RunFinish) throws(HistoryError) -> Int64 {
        let run = try write { connection in
            let run = try Self.nextRun(connection)
            try Self.insert(start, run, connection)
            try Self.insert(finish, run, connection)
            try self.log.append([Self.entry(start, run), try Self.entry(finish, run)], to: connection)
            return run
        }
        noteLastRun(LastRun(id: run, user: start.requester.user, trigger: start.requester.trigger.rawValue, outcome: finish.outcome.rawValue))
        return run
    }

    /// The newest run as far as it is known here: what this process recorded at once, what others did after
    /// ``refreshLastRun()``. nil where there was none.
    package var lastRun: LastRun? { newest.withLock { $0 } }

    /// Reads the newest run, which another process may have recorded.
    package func refreshLastRun() throws(HistoryError) {
        guard let found = try reader.read({ try LastRun.read($0) }) else { return }
        noteLastRun(found)
    }

    private func noteLastRun(_ run: LastRun) {
        newest.withLock { known in
            if run.isNewer(than: known) { known = run }
        }
    }

    /// Records an event that is a row of no other table.
    /// - Parameter by: nil for what the service does by itself.
    package func record(_ event: AuditEvent, by principal: Principal? = nil) throws(HistoryError) { try record([AuditEntry(event, by: principal)]) }

    /// Records events that are rows of no other table, in one transaction.
    package func record(_ entries: [AuditEntry]) throws(HistoryError) {
        guard !entries.isEmpty else { return }
        try write { connection in _ = try self.log.append(entries, to: connection) }
    }

    /// Deletes the stored output of a run, leaving its digest and a record of who wanted that and why.
    package func redactOutput(of run: Int64, by principal: Principal, reason: String) throws(HistoryError) {
        try write { connection in
            let entry = try self.log.append([AuditEntry(.outputRedacted(run: run, reason: reason), by: principal)], to: connection).first
            try connection.execute("INSERT INTO output_redaction (run, entry) VALUES (?, ?)", [.integer(run), .integer(entry)])
            try connection.execute("DELETE FROM run_output WHERE id = ?", [.integer(run)])
        }
    }

    /// Runs with a start and no end, oldest first. Only the first call costs more with a longer history.
    package func unfinishedRuns() throws(HistoryError) -> [Int64] {
        var unfinished: [Int64] = []
        var last = finishedUpTo.withLock { $0 }
        while true {
            let after = last
            let page = try reader.shortRead { connection in
                try connection.query(
                    "SELECT s.id, f.id FROM run_started s LEFT JOIN run_finished f ON f.id = s.id WHERE s.id > ? ORDER BY s.id LIMIT 20000",
                    [.integer(after)]
                ) { (run: $0.integer(0) ?? 0, isFinished: !$0.isNull(1)) }
            }
            unfinished += page.filter { !$0.isFinished }.map(\.run)
            guard let newest = page.last?.run, newest > after else { break }
            last = newest
        }
        // A run that has ended stays ended, so those before the first open one need not be looked at again.
        let settled = unfinished.first.map { $0 - 1 } ?? last
        finishedUpTo.withLock { $0 = max($0, settled) }
        return unfinished
    }

    /// Whether writing is over until a restart.
    package var isLatched: Bool { latched.withLock { $0 } }

    /// Whether the file at the path is the one that is open. Into another one nothing is recorded.
    package var isInPlace: Bool { (try? Files.facts(path, followLink: false))?.isSameFile(as: opened) ?? false }

    /// Why runs are refused; nil when nothing is known against the audit log.
    package var knownDamage: String? { damage.withLock { $0?.problem } }

    /// Whether runs are refused because an older or another history was put in this one's place.
    package var isRolledBack: Bool { damage.withLock { $0?.isRolledBack ?? false } }

    func declareDamaged(_ problem: String) { damage.withLock { $0 = ReasonToRefuse(problem: problem) } }

    /// Begins or goes on although the audit log was declared damaged, and records who decided that.
    /// - Parameters:
    ///   - problems: what was found, for people.
    ///   - accepted: the digests of what was found, all of it.
    package func resume(by principal: Principal, reason: String, problems: [String], accepted: [String]) throws(HistoryError) {
        let rollback = damage.withLock { damage in
            defer { damage = nil }
            return damage?.rollback
        }
        try write { connection in
            let beginning = try Genesis(connection)
            if !beginning.hasEntries { try beginning.write(self.log, connection) }
            if try StoredLog.head(connection) == nil { try self.requireOwnKey(beginning, connection) }
            let recovery = Recovery(reason: reason, problems: problems, accepted: accepted, givenUp: rollback)
            let checkpoint = try self.log.append([AuditEntry(.recovered(recovery), by: principal)], to: connection, accepting: true).checkpoint
            // Otherwise all that is appended later would be signed by nobody again.
            guard try StoredLog.head(connection)?.checkpoint == checkpoint.checkpoint else {
                throw HistoryError("\(self.path): a checkpoint is stored under more entries than there are, so that no new one would count; restore a backup")
            }
        }
    }

    /// Where the newest checkpoint does not tell who signs, the entries do: our key must be the one that they end with.
    private func requireOwnKey(_ beginning: Genesis, _ connection: Connection) throws {
        let keys = try beginning.keys(after: EntryPage.all(of: .keyChanged, connection), connection)
        guard let last = keys.last, last != log.signer.verifierKey else { return }
        throw HistoryError(
            "\(path): the newest checkpoint cannot be read, and the entries end with the key \(last), which is not the one in AUDIT_KEY_FILE; put that key there (a change of keys that was cut short left it beside, with .next at its end), or restore a backup")
    }

    /// Makes a new key, lets the old one approve it in the audit log, and puts it in the old one's place.
    /// - Returns: the new verifier key.
    package func rotateKey(_ settings: AuditSettings, by principal: Principal) throws(HistoryError) -> VerifierKey {
        let (signer, finish) = try AuditKey.prepareNext(settings)
        let old = log.signer
        let checkpoint = try write { connection in
            // The old key approves the new one for the place behind this: nothing may come between.
            try self.log.settleClock(connection)
            let change = try KeyChange.approve(signer.verifierKey, after: try StoredLog.tree(connection), by: old)
            let newLog = StoredLog(signer: signer, after: old.verifierKey)
            return try newLog.append([AuditEntry(.keyChanged(change), by: principal)], to: connection).checkpoint.cosigned(by: old)
        }
        // A history of before the change does not know the new key: only the old one's word shows that it is behind.
        checkpointFile?.append(checkpoint)
        try finish()
        return signer.verifierKey
    }

    /// Keeps room for the end of a run.
    package func holdReserve() throws(HistoryError) {
        do { try reserve.hold() } catch {
            throw HistoryError("no room is left to record the end of a run (\(error)); make room on the disk of \(path)", cause: error)
        }
    }

    private func insertFinish(_ finish: RunFinish, of run: Int64) throws(HistoryError) -> Bool {
        let isNew = try write { connection in
            let recorded = try connection.first("SELECT 1 FROM run_finished WHERE id = ?", [.integer(run)]) { $0.integer(0) }
            guard try recorded == nil && !Self.hasEnd(run, connection) else { return false }
            try Self.insert(finish, run, connection)
            try self.log.append([try Self.entry(finish, run)], to: connection)
            return true
        }
        newest.withLock { known in
            if isNew && known?.id == run { known?.outcome = finish.outcome.rawValue }
        }
        return isNew
    }

    /// Whether the log says that an administrator was told that this run is being ended.
    package func isCancelPromised(_ run: Int64) throws(HistoryError) -> Bool {
        try reader.read { connection in
            try Self.newestLeaves(of: run, connection).contains {
                $0.event == Event.runCancelAnswered.rawValue && $0.object["outcome"] == .string(CancelAnswer.ending.rawValue)
            }
        }
    }

    /// Whether the log has a run's end. Where its row is missing all the same, somebody deleted it, which the verification
    /// finds; a second end would only hide that.
    private static func hasEnd(_ run: Int64, _ connection: Connection) throws -> Bool {
        try newestLeaves(of: run, connection).contains { $0.event == Event.runFinished.rawValue }
    }

    private static func newestLeaves(of run: Int64, _ connection: Connection) throws -> [Leaf] {
        try connection.query(
            "SELECT bytes FROM run_entry JOIN leaf USING (entry) WHERE run = ? ORDER BY entry DESC LIMIT 1000", [.integer(run)]
        ) { $0.blob(0) ?? [] }.compactMap { try? Leaf(stored: $0) }
    }

    private func write<Result: Sendable>(_ body: (Connection) throws -> Result) throws(HistoryError) -> Result {
        if let problem = knownDamage { throw HistoryError("\(path): \(problem)") }
        guard !isLatched else {
            throw HistoryError("\(path): the disk failed while it was written; check disk and file system, then restart the service")
        }
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
            if case StoredLogError.rolledBack? = error as? StoredLogError {
                damage.withLock { $0 = ReasonToRefuse(problem: "\(error)", isRolledBack: true) }
            }
            let error = HistoryError(path, error)
            // After an I/O error nobody knows what is on the disk: a row may be kept although its commit failed.
            if error.isIOError { latched.withLock { $0 = true } }
            throw error
        }
    }

    private static func nextRun(_ connection: Connection) throws(SQLiteError) -> Int64 {
        try connection.first("SELECT coalesce(max(id), 0) + 1 FROM run_started") { $0.integer(0) ?? 1 } ?? 1
    }

    package static func insert(_ start: RunStart, _ run: Int64, _ connection: Connection) throws(SQLiteError) {
        try RunTable.started.insert(start.members, run: run, connection)
    }

    package static func insert(_ finish: RunFinish, _ run: Int64, _ connection: Connection) throws(SQLiteError) {
        try RunTable.finished.insert(finish.members, run: run, connection)
        try connection.execute("INSERT INTO run_output (id, bytes) VALUES (?, ?)", [.integer(run), .blob(finish.output)])
    }

    package static func entry(_ start: RunStart, _ run: Int64) -> AuditEntry { AuditEntry(.runStarted(run: run, start, .now())) }

    package static func entry(_ finish: RunFinish, _ run: Int64) throws -> AuditEntry {
        AuditEntry(.runFinished(run: run, finish, storedOutput: Hex.text(try SHA256.digest(finish.output))))
    }
}
