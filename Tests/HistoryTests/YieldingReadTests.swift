import SQLite
import Synchronization
import TestSupport
import Testing

@testable import History

@Suite struct YieldingReadTests {
    private static let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    private let folder: TemporaryFolder
    private let writer: Connection
    private let reader: HistoryReader

    init() throws {
        folder = try TemporaryFolder()
        writer = try Connection(path: folder("a.db"), mode: .create)
        try writer.execute("CREATE TABLE t (a INTEGER PRIMARY KEY) STRICT")
        reader = try HistoryReader(opening: folder("a.db"))
    }

    @Test func aReadGivesWayToAWriterAndBeginsAgain() throws {
        let attempts = Mutex(0)
        let found = try writer.transaction {
            try writer.execute("INSERT INTO t VALUES (1)")
            return try reader.readYielding { connection -> Int64? in
                let attempt = attempts.withLock {
                    $0 += 1; return $0
                }
                // Would never end by itself.
                if attempt < 3 { _ = try connection.first(Self.endless) { $0.integer(0) } }
                return try connection.first("SELECT count(*) FROM t") { $0.integer(0) } ?? nil
            }
        }
        #expect(found == .some(0), "not what is not committed")
        #expect(attempts.withLock { $0 } == 3)
    }

    @Test func withoutAWriterItReadsOn() throws {
        let attempts = Mutex(0)
        let found = try reader.readYielding { connection in
            attempts.withLock { $0 += 1 }
            return try connection.query(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT count(*) FROM n"
            ) { $0.integer(0) ?? 0 }
        }
        #expect(found == [300_000])
        #expect(attempts.withLock { $0 } == 1)
    }

    @Test func anErrorEndsIt() throws {
        #expect(throws: HistoryError.self) { try reader.readYielding { try $0.execute("no such statement") } }
    }
}
