import AuditLog
import Foundation
import History
import RunProtocol
import SQLite

/// Measures what the audit log costs, on a real disk, with the service's own code: `AuditBenchmark FOLDER ENTRIES`.
///
/// It makes histories of 1,000, 10,000 and ENTRIES entries in FOLDER, each in a folder named after its size, and prints what
/// an append to the smallest and to the largest costs. `scripts/bench-audit.sh` calls it, and then measures
/// `sync-service audit verify` on the histories.
@main enum AuditBenchmark {
    static func main() throws {
        guard CommandLine.arguments.count == 3, let entries = Int64(CommandLine.arguments[2]), entries > 1000 else {
            print("usage: AuditBenchmark FOLDER ENTRIES; ENTRIES is more than 1000")
            exit(ExitStatus.usage.rawValue)
        }
        let folder = CommandLine.arguments[1]
        let small = try FilledHistory(folder, entries: 1000)
        _ = try FilledHistory(folder, entries: 10_000)
        let large = try FilledHistory(folder, entries: entries)
        // Alternating, so that both meet the same load on the disk.
        let costs = try (0..<300).map { _ in (small: try small.append(), large: try large.append()) }
        report("append and commit, with the disk's syncs", entries, costs.map { ($0.small.whole, $0.large.whole) })
        report("append alone", entries, costs.map { ($0.small.append, $0.large.append) })
    }

    private static func report(_ what: String, _ entries: Int64, _ costs: [(small: Duration, large: Duration)]) {
        func median(_ durations: [Duration]) -> Double { durations.sorted()[durations.count / 2] / .microseconds(1) }
        let (small, large) = (median(costs.map(\.small)), median(costs.map(\.large)))
        print(String(format: "%@: %.0f µs at 1000 entries, %.0f µs at %ld, ratio %.2f", what, small, large, entries, large / small))
    }
}

/// A history of runs. Each run has two rows, its output and two entries, as the service writes them, but thousands of runs
/// share a transaction.
private struct FilledHistory {
    private let connection: Connection
    private let log: StoredLog

    init(_ folder: String, entries: Int64) throws {
        let state = "\(folder)/\(entries)"
        try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
        let path = state + "/history.sqlite"
        // Makes the schema, the key and the first entry.
        log = try HistoryStore(
            opening: path, reserve: DiskReserve(in: state, outputLimit: 1 << 20),
            audit: AuditSettings(origin: "bench.example/sync-history", keyFile: state + "/audit.key", pinned: nil, checkpointFile: nil)
        ).log
        connection = try Connection(path: path, mode: .readWrite)
        var run: Int64 = 0
        while try StoredLog.tree(connection).size < entries {
            try connection.transaction {
                var events: [AuditEntry] = []
                let size = try StoredLog.tree(connection).size
                while size + Int64(events.count) < entries, events.count < 20_000 {
                    run += 1
                    events += try Self.record(run, connection)
                }
                try log.append(events, to: connection)
            }
        }
    }

    private static func record(_ run: Int64, _ connection: Connection) throws -> [AuditEntry] {
        let requester = Requester(
            user: "user\(run % 50)", userName: "User of the Bench", tokenFingerprint: "0123456789abcdef", trigger: .api, reason: nil,
            sourceIP: "192.0.2.7", requestID: "0123456789abcdef")
        let now = Int64(Date.now.timeIntervalSince1970 * 1000)
        var start = RunStart(requester: requester, startedAt: now, scriptPath: "/opt/bea-cukai-app/sync_fkk_db.sh")
        start.scriptSHA256 = String(repeating: "0f", count: 32)
        start.scriptUID = 990
        start.isolated = true
        start.bootID = "9a0f5b1c-6f6e-4b52-9b5e-7d1b6f1f2a3c"
        let output = Array("sync \(run) finished: 48211 rows copied, 0 differ\n".utf8)
        var finish = RunFinish(finishedAt: now + 41_605, finishedAtExact: true, outcome: .succeeded, outputTruncated: false, output: output)
        finish.durationMilliseconds = 41_605
        finish.exitCode = 0
        finish.outputBytes = Int64(output.count)
        finish.outputSHA256 = String(repeating: "1e", count: 32)
        finish.scriptChanged = false
        finish.lockFileSeen = false
        try HistoryStore.insert(start, run, connection)
        try HistoryStore.insert(finish, run, connection)
        return [HistoryStore.entry(start, run), try HistoryStore.entry(finish, run)]
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
