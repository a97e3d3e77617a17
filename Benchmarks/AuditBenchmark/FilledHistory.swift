import AuditLog
import Foundation
import History
import SQLite

/// A history of runs. Each run has two rows, its output and two entries, as the service writes them, but thousands of runs
/// share a transaction.
struct FilledHistory {
    private let connection: Connection
    private let log: StoredLog
    private let runs: Int64
    private let entriesPerRun: Int

    /// Makes the history, or goes on with one that was cut short.
    /// - Parameter entriesPerRun: 2 or more; all but two of them are about something else.
    init(_ folder: String, runs: Int64, entriesPerRun: Int) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let path = folder + "/history.sqlite"
        // Makes the schema, the key and the first entry.
        log = try HistoryStore(
            opening: path, reserve: DiskReserve(in: folder, outputLimit: 1 << 20),
            audit: AuditSettings(origin: "bench.example/sync-history", keyFile: folder + "/audit.key", pinned: nil, checkpointFile: nil)
        ).log
        connection = try Connection(path: path, mode: .readWrite)
        (self.runs, self.entriesPerRun) = (runs, entriesPerRun)
        var run = try connection.first("SELECT coalesce(max(id), 0) FROM run_started") { $0.integer(0) ?? 0 } ?? 0
        while run < runs {
            try connection.transaction {
                var events: [AuditEntry] = []
                while run < runs, events.count < 20_000 {
                    run += 1
                    events += try record(run)
                }
                try log.append(events, to: connection)
            }
        }
    }

    /// The rows of a run, and its entries.
    private func record(_ run: Int64) throws -> [AuditEntry] {
        let sample = SampleRun(run, of: runs)
        try HistoryStore.insert(sample.start, run, connection)
        let others = (2..<entriesPerRun).map { AuditEntry(sample.otherEvent($0), by: sample.start.requester.principal) }
        // The last run is under way.
        guard run < runs else { return [HistoryStore.entry(sample.start, run)] + others }
        try HistoryStore.insert(sample.finish, run, connection)
        return [HistoryStore.entry(sample.start, run), try HistoryStore.entry(sample.finish, run)] + others
    }

    /// Appends one event in a transaction of its own.
    /// - Returns: the time of the append, and of the whole transaction.
    func append() throws -> (append: Duration, whole: Duration) {
        let principal = Principal(user: "auditor", tokenFingerprint: "0123456789abcdef", sourceIP: "192.0.2.7", requestID: "0123456789abcdef")
        let clock = ContinuousClock()
        let start = clock.now
        let append = try connection.transaction {
            try clock.measure { try log.append([AuditEntry(.historyRead(.runs), by: principal)], to: connection) }
        }
        return (append, clock.now - start)
    }
}
