import TestSupport
import Testing

@testable import SQLite

@Suite struct GivingWayTests {
    private static let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    private let folder: TemporaryFolder
    private let writer: Connection
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder("a.db")
        writer = try Connection(path: path, mode: .create)
        try writer.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT) STRICT")
    }

    @Test func aWriterIsSeenFromItsLockToItsCommit() throws {
        let watch = try WriterWatch(path: path)
        #expect(!watch.isWriting)
        try writer.read {
            _ = try writer.first("SELECT count(*) FROM t") { $0.integer(0) }
            #expect(!watch.isWriting, "a reader is no writer")
        }
        try writer.transaction { #expect(watch.isWriting) }
        #expect(!watch.isWriting)
        try writer.transaction {
            _ = try? Connection(path: path, mode: .readWrite, busyTimeoutMilliseconds: 0).execute("INSERT INTO t VALUES (1, 'x')")
            #expect(watch.isWriting, "asking took no lock, and dropped none")
            try writer.execute("INSERT INTO t VALUES (2, 'y')")
        }
        #expect(try writer.query("SELECT a FROM t") { $0.integer(0) } == [2])
    }

    @Test func aStatementIsInterrupted() throws {
        let reader = try Connection(path: path, mode: .readOnly)
        let result = try reader.run(until: { true }) { try reader.first(Self.endless) { $0.integer(0) } }
        #expect(result == nil)
        #expect(try reader.first("SELECT 7") { $0.integer(0) } == .some(7), "the connection goes on")
    }

    @Test func anIntegrityCheckIsInterrupted() throws {
        try writer.transaction {
            try writer.execute(
                "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i, printf('%.300c', 'x') FROM n"
            )
        }
        let reader = try Connection(path: path, mode: .readOnly)
        func check() throws -> [String] { try reader.query("PRAGMA integrity_check(t)") { $0.text(0) ?? "" } }
        #expect(try reader.run(until: { true }, check) == nil)
        #expect(try reader.run(until: { false }, check) == ["ok"])
    }

    @Test func whatFailsByItselfIsThrown() throws {
        let reader = try Connection(path: path, mode: .readOnly)
        let error = sqliteError { _ = try reader.run(until: { false }) { try reader.execute("INSERT INTO t VALUES (3, 'z')") } }
        #expect(error?.isReadOnly == true)
    }
}
