import Foundation
import TestSupport
import Testing

@testable import SQLite

@Suite struct TransactionTests {
    struct Refused: Error {}

    let folder: TemporaryFolder
    let connection: Connection

    init() throws {
        folder = try TemporaryFolder()
        connection = try Connection(path: folder("a.db"), mode: .create)
        try connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT) STRICT")
    }

    func count() throws -> String {
        try folder.sqlite3("a.db", "SELECT count(*) FROM t")
    }

    @Test func commits() throws {
        let result = try connection.transaction {
            try connection.execute("INSERT INTO t (s) VALUES ('a')")
            return "done"
        }
        #expect(result == "done")
        #expect(try count() == "1")
        #expect(try folder.sqlite3("a.db", "PRAGMA integrity_check") == "ok")
    }

    @Test func errorLeavesNothingHalfDone() throws {
        #expect(throws: Refused.self) {
            try connection.transaction {
                try connection.execute("INSERT INTO t (s) VALUES ('a'); CREATE TABLE u (a); PRAGMA application_id = 7")
                throw Refused()
            }
        }
        #expect(try count() == "0")
        #expect(try folder.sqlite3("a.db", "SELECT count(*) FROM sqlite_schema; PRAGMA application_id") == "1\n0")
        // And the connection goes on.
        try connection.transaction { try connection.execute("INSERT INTO t (s) VALUES ('b')") }
        #expect(try count() == "1")
    }

    @Test func errorWithinARowRollsBackToo() throws {
        try connection.execute("INSERT INTO t (s) VALUES ('a'), ('b')")
        let error = sqliteError {
            try connection.transaction {
                _ = try connection.query("SELECT id FROM t") { (row) throws(SQLiteError) in
                    try connection.execute("DELETE FROM t WHERE id = ?", [.optional(row.integer(0))])
                    try connection.execute("nonsense")
                }
            }
        }
        #expect(error?.context == "nonsense")
        #expect(try count() == "2")
    }

    @Test func busyIsReportedAndThenOver() throws {
        let other = try Connection(path: folder("a.db"), mode: .readWrite, busyTimeoutMilliseconds: 20)
        try connection.transaction {
            try connection.execute("INSERT INTO t (s) VALUES ('a')")
            let error = sqliteError { try other.transaction {} }
            #expect(error?.isBusy == true)
            #expect(error?.context == "BEGIN IMMEDIATE")
            #expect(error?.description.contains("Another process is using the database") == true)
        }
        try other.transaction { try other.execute("INSERT INTO t (s) VALUES ('b')") }
        #expect(try count() == "2")
    }

    @Test func aWriterWaitsItsTurn() async throws {
        let folder = folder
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    try await onOwnThread {
                        let connection = try Connection(
                            path: folder("a.db"), mode: .readWrite, busyTimeoutMilliseconds: 60_000)
                        for _ in 0..<10 {
                            // Reading the highest number and taking the next is one step.
                            try connection.transaction {
                                let last = try connection.first("SELECT max(id) FROM t") { $0.integer(0) ?? 0 }
                                try connection.execute("INSERT INTO t (id) VALUES (?)", [.integer((last ?? 0) + 1)])
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try folder.sqlite3("a.db", "SELECT count(*), max(id) FROM t") == "40|40")
    }

    @Test func commitThatAReaderHoldsUpIsRolledBack() throws {
        let writer = try Connection(path: folder("a.db"), mode: .readWrite, busyTimeoutMilliseconds: 20)
        try connection.read {
            let rows = try connection.first("SELECT count(*) FROM t") { $0.integer(0) }
            #expect(rows == .some(0))
            let error = sqliteError {
                try writer.transaction { try writer.execute("INSERT INTO t (s) VALUES ('a')") }
            }
            #expect(error?.isBusy == true)
            #expect(error?.context == "COMMIT")
            #expect(!writer.hasOpenTransaction)
        }
        #expect(try count() == "0")
        try writer.transaction { try writer.execute("INSERT INTO t (s) VALUES ('b')") }
        #expect(try count() == "1")
    }

    @Test func commitThatAConstraintRefusesIsRolledBack() throws {
        try connection.execute(
            """
            CREATE TABLE child (t INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED) STRICT
            """)
        let error = sqliteError {
            try connection.transaction {
                try connection.execute("INSERT INTO t (s) VALUES ('a'); INSERT INTO child VALUES (99)")
            }
        }
        #expect(error?.isConstraint == true)
        #expect(error?.context == "COMMIT")
        #expect(try count() == "0")
        #expect(!connection.hasOpenTransaction)
    }

    @Test func nothingIsCommittedBehindAnEndedTransaction() throws {
        let error = sqliteError {
            try connection.transaction {
                try connection.execute("INSERT INTO t (s) VALUES ('a')")
                try? connection.execute("INSERT OR ROLLBACK INTO t (id) VALUES (1), (1)")
                try? connection.execute("INSERT INTO t (s) VALUES ('stray')")
                try? connection.execute("INSERT INTO t (s) VALUES (?)", ["stray"])
            }
        }
        #expect(error?.extendedCode == 516)
        #expect(error?.message.contains("the transaction has already ended") == true)
        #expect(try count() == "0")

        let early = sqliteError {
            try connection.transaction { try connection.execute("COMMIT; INSERT INTO t (s) VALUES ('stray')") }
        }
        #expect(early?.extendedCode == 516)
        #expect(try count() == "0")
        try connection.transaction { try connection.execute("INSERT INTO t (s) VALUES ('b')") }
        #expect(try count() == "1")
    }

    @Test func transactionsDoNotNest() throws {
        let error = sqliteError {
            try connection.transaction {
                try connection.execute("INSERT INTO t (s) VALUES ('a')")
                try connection.transaction {}
            }
        }
        #expect(error?.message == "cannot start a transaction within a transaction")
        #expect(try count() == "0")

        // The outer one survives where its body does.
        try connection.transaction {
            try? connection.transaction {}
            try connection.execute("INSERT INTO t (s) VALUES ('a')")
        }
        #expect(try count() == "1")
    }

    @Test func aReadSeesOneState() throws {
        let writer = try Connection(path: folder("a.db"), mode: .readWrite, busyTimeoutMilliseconds: 20)
        let (before, after) = try connection.read {
            let before = try connection.first("SELECT count(*) FROM t") { $0.integer(0) }
            _ = sqliteError { try writer.execute("INSERT INTO t (s) VALUES ('a')") }
            return (before, try connection.first("SELECT count(*) FROM t") { $0.integer(0) })
        }
        #expect(before == after)
    }

    @Test func closingRollsBack() throws {
        let error = sqliteError {
            try connection.transaction {
                try connection.execute("INSERT INTO t (s) VALUES ('a')")
                connection.close()
            }
        }
        #expect(error?.message == "the connection is closed")
        #expect(try count() == "0")
    }
}
