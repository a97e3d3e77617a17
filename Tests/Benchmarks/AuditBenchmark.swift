import AuditLog
import Foundation
import JSON
import RunProtocol
import SQLite
import Testing

@testable import SyncService

/// What the audit log costs, on a real disk, by the service's own code. `make bench-audit` calls this: it sets the folder in
/// BENCH_AUDIT and measures `sync-service audit verify` on what is left there. Prints figures and asserts none.
@Suite(.enabled(if: folder != nil, "make bench-audit runs it")) struct AuditBenchmark {
    @Test func appends() throws {
        let folder = try #require(folder)
        let small = try Filled(folder + "/1000", leaves: 1000)
        _ = try Filled(folder + "/10000", leaves: 10_000)
        let large = try Filled(folder + "/1000000", leaves: 1_000_000)
        // By turns, so that both meet the disk in the same mood.
        let costs = try (0..<300).map { _ in (small: try small.append(), large: try large.append()) }
        report("append and commit, with the disk's syncs", costs.map { ($0.small.whole, $0.large.whole) })
        report("append alone", costs.map { ($0.small.append, $0.large.append) })
    }

    private func report(_ what: String, _ costs: [(small: Duration, large: Duration)]) {
        func median(_ durations: [Duration]) -> Double { durations.sorted()[durations.count / 2] / .microseconds(1) }
        let (small, large) = (median(costs.map(\.small)), median(costs.map(\.large)))
        print(String(format: "%@: %.0f µs at 1,000 entries, %.0f µs at 1,000,000, ratio %.2f", what, small, large, large / small))
    }
}

private let folder = ProcessInfo.processInfo.environment["BENCH_AUDIT"]

/// A history of runs: each with its two rows, its output and its two entries, as the service writes them, but thousands in a
/// transaction.
private struct Filled {
    private let connection: Connection
    private let log: StoredLog

    init(_ state: String, leaves: Int64) throws {
        try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
        setenv("SYNC_STATE_DIR", state, 1)
        let settings = try Settings(environmentFile: nil)
        // Makes schema, key and genesis.
        log = try settings.openHistory().log
        connection = try Connection(path: settings.historyPath, mode: .readWrite)
        var run: Int64 = 0
        while try StoredLog.tree(connection).size < leaves {
            try connection.transaction {
                var events: [AuditEvent] = []
                let size = try StoredLog.tree(connection).size
                while size + Int64(events.count) < leaves, events.count < 20_000 {
                    run += 1
                    events += try Self.record(run, connection)
                }
                try log.append(events, to: connection)
            }
        }
    }

    private static func record(_ run: Int64, _ connection: Connection) throws -> [AuditEvent] {
        let requester = Requester(
            user: "user\(run % 50)", userName: "User of the Bench", tokenFingerprint: "0123456789abcdef", trigger: .api, reason: nil,
            sourceIP: "192.0.2.7", requestID: RequestID.make())
        let now = Int64(Date.now.timeIntervalSince1970 * 1000)
        let start = RunStart(
            requester: requester, startedAt: now, scriptPath: "/opt/bea-cukai-app/sync_fkk_db.sh",
            scriptSHA256: String(repeating: "0f", count: 32), scriptUID: 990, isolated: true, bootID: "9a0f5b1c-6f6e-4b52-9b5e-7d1b6f1f2a3c")
        let output = Array("sync \(run) finished: 48211 rows copied, 0 differ\n".utf8)
        let finish = RunFinish(
            finishedAt: now + 41_605, finishedAtExact: true, durationMilliseconds: 41_605, outcome: .succeeded, exitCode: 0,
            outputBytes: Int64(output.count), outputTruncated: false, outputSHA256: String(repeating: "1e", count: 32),
            scriptChanged: false, lockFileSeen: false, output: output)
        try RunTable.started.insert(start.members, run: run, connection)
        try HistoryStore.insert(finish, run, connection)
        return [HistoryStore.event(start, run), try HistoryStore.event(finish, run)]
    }

    /// One event in a transaction of its own.
    func append() throws -> (append: Duration, whole: Duration) {
        let principal = Principal(user: "auditor", tokenFingerprint: "0123456789abcdef", sourceIP: "192.0.2.7", requestID: RequestID.make())
        let clock = ContinuousClock()
        let start = clock.now
        let append = try connection.transaction {
            try clock.measure { try log.append([AuditEvent(.historyRead, by: principal, [.init("what", .string("runs"))])], to: connection) }
        }
        return (append, clock.now - start)
    }
}
