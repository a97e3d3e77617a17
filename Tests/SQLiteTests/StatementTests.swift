import Foundation
import TestSupport
import Testing

@testable import SQLite

@Suite struct StatementTests {
    let folder: TemporaryFolder
    let connection: Connection

    init() throws {
        folder = try TemporaryFolder()
        connection = try Connection(path: folder("a.db"), mode: .create)
        try connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT UNIQUE) STRICT")
    }

    @Test func scriptOfManyStatements() throws {
        let count = 20_000
        let script = (1...count).map { "INSERT INTO t (id) VALUES (\($0));" }.joined(separator: "\n")
        try connection.transaction { try connection.execute(script) }
        #expect(try connection.first("SELECT count(*) FROM t") { $0.integer(0) } == .some(Int64(count)))
    }

    @Test(arguments: ["", " \n\t", ";", ";;;", "-- nothing", "/* nothing", "; -- x\n; /* y */ ;"])
    func emptyScriptDoesNothing(_ script: String) throws {
        try connection.execute(script)
    }

    @Test func blanksAndCommentsBetweenStatements() throws {
        try connection.execute(
            """
            ;; -- one;
            INSERT INTO t (s) VALUES (';--') ; /* ; */ ; INSERT INTO t (s) VALUES ('ü')
            ;
            -- end
            """)
        #expect(try connection.query("SELECT s FROM t ORDER BY id") { $0.text(0) } == [";--", "ü"])
    }

    @Test func scriptStopsAtItsFirstError() throws {
        let error = sqliteError {
            try connection.execute("INSERT INTO t (s) VALUES ('a');\n  INSERT INTO nowhere VALUES (1);\nDELETE FROM t")
        }
        #expect(error?.context == "INSERT INTO nowhere VALUES (1);")
        #expect(error?.message == "no such table: nowhere")
        #expect(try connection.first("SELECT count(*) FROM t") { $0.integer(0) } == .some(1))
    }

    @Test func valuesMustFitTheParameters() throws {
        for (sql, values) in [
            ("INSERT INTO t VALUES (?, ?)", [1]), ("INSERT INTO t VALUES (?, ?)", []),
            ("INSERT INTO t VALUES (?, ?)", [1, "a", 3]), ("DELETE FROM t", [1]),
        ] as [(String, [Value])] {
            #expect(sqliteError { try connection.execute(sql, values) }?.code == 21)
            #expect(sqliteError { _ = try connection.query(sql, values) { _ in } }?.code == 21)
        }
        #expect(try connection.first("SELECT count(*) FROM t") { $0.integer(0) } == .some(0))
    }

    @Test func oneStatementMeansOne() throws {
        for sql in ["INSERT INTO t (s) VALUES (?); DELETE FROM t", "", "-- ?"] {
            let error = sqliteError { try connection.execute(sql, ["a"]) }
            #expect(error?.message == "exactly one statement is expected")
        }
        try connection.execute("INSERT INTO t (s) VALUES (?); -- and no more", ["a"])
    }

    @Test func nulInSQLIsRefused() {
        for values in [[], ["a"]] as [[Value]] {
            let error = sqliteError { try connection.execute("DELETE FROM t\0 WHERE s = ?", values) }
            #expect(error?.message == "SQL contains a NUL character")
        }
    }

    @Test func constraintNamesItsKindButNoValue() throws {
        try connection.execute("INSERT INTO t (s) VALUES (?)", ["hunter2"])
        let error = sqliteError { try connection.execute("INSERT INTO t (s) VALUES (?)", ["hunter2"]) }
        #expect(error?.isConstraint == true)
        #expect(error?.code == 19)
        #expect(error?.extendedCode == 2067)
        #expect(error?.description == "INSERT INTO t (s) VALUES (?): UNIQUE constraint failed: t.s (SQLite code 2067)")
        // The failed statement does not spoil the next use of the same SQL.
        try connection.execute("INSERT INTO t (s) VALUES (?)", ["other"])
    }

    @Test func sameSQLWithinARowOfItself() throws {
        try connection.execute("INSERT INTO t (s) VALUES ('a'), ('b')")
        let sql = "SELECT s FROM t ORDER BY s"
        _ = try connection.query(sql) { $0.text(0) }
        let pairs = try connection.query(sql) { (outer) throws(SQLiteError) in
            let inner = try connection.query(sql) { $0.text(0) ?? "" }
            return (outer.text(0) ?? "") + inner.joined()
        }
        #expect(pairs == ["aab", "bab"])
    }

    @Test func statementsAreToldApartByTheirBytes() throws {
        // One looks like the other, and Swift calls them equal.
        let composed = "SELECT hex('\u{E9}')"
        let decomposed = "SELECT hex('e\u{301}')"
        #expect(composed == decomposed)
        #expect(try connection.first(composed) { $0.text(0) } == .some("C3A9"))
        #expect(try connection.first(decomposed) { $0.text(0) } == .some("65CC81"))
    }

    @Test func manyDifferentStatements() throws {
        for number in Array(0..<200) + Array(0..<200) {
            let sum = try connection.first("SELECT \(number) + ?", [1]) { $0.integer(0) }
            #expect(sum == .some(Int64(number + 1)))
        }
    }

    @Test func bindingsDoNotOutliveTheirCall() throws {
        let sql = "SELECT ?"
        #expect(try connection.first(sql, ["secret"]) { $0.text(0) } == .some("secret"))
        #expect(try connection.first(sql, [nil]) { $0.isNull(0) } == true)
    }

    @Test func firstRowOnly() throws {
        try connection.execute("INSERT INTO t (s) VALUES ('a'), ('b')")
        var rows = 0
        let first = try connection.first("SELECT s FROM t ORDER BY s DESC") { row in
            rows += 1
            return row.text(0)
        }
        #expect(first == .some("b"))
        #expect(rows == 1)
        #expect(try connection.first("SELECT s FROM t WHERE s = 'c'") { $0.text(0) } == nil)
        // A writing statement is carried out, and the lock let go.
        #expect(try connection.first("INSERT INTO t (s) VALUES ('c') RETURNING id") { $0.integer(0) } == .some(3))
        #expect(try folder.sqlite3("a.db", "INSERT INTO t (s) VALUES ('d'); SELECT count(*) FROM t") == "4")
    }

    @Test func errorOfTheClosureEndsTheQuery() throws {
        try connection.execute("INSERT INTO t (s) VALUES ('a'), ('b')")
        var kept: [Row] = []
        let error = sqliteError {
            _ = try connection.query("SELECT s FROM t") { (row) throws(SQLiteError) -> String in
                kept.append(row)
                throw SQLiteError(extendedCode: 1, message: "enough", context: "test")
            }
        }
        #expect(error?.message == "enough")
        #expect(kept.count == 1)
        // Not even a row somebody kept holds the lock.
        #expect(try folder.sqlite3("a.db", "DELETE FROM t; SELECT count(*) FROM t") == "0")
    }

    @Test func schemaChangesUnderAKeptStatement() throws {
        let sql = "SELECT * FROM t"
        try connection.execute("INSERT INTO t (s) VALUES ('a')")
        _ = try connection.query(sql) { $0.text(1) }
        try connection.execute("ALTER TABLE t ADD COLUMN extra TEXT DEFAULT 'new'")
        #expect(try connection.query(sql) { $0.text(2) } == ["new"])
    }

    @Test func endlessTriggersEndInAnError() throws {
        try connection.execute(
            """
            CREATE TABLE loop (a INTEGER) STRICT;
            CREATE TRIGGER again AFTER INSERT ON loop BEGIN INSERT INTO loop VALUES (NEW.a + 1); END;
            """)
        let error = sqliteError { try connection.execute("INSERT INTO loop VALUES (1)") }
        #expect(error?.message == "too many levels of trigger recursion")
        #expect(try connection.first("SELECT count(*) FROM loop") { $0.integer(0) } == .some(0))
    }

    @Test func fullDatabaseIsTold() throws {
        try connection.execute("PRAGMA max_page_count = 5")
        let long = Value.text(String(repeating: "x", count: 100_000))
        let error = sqliteError { try connection.execute("INSERT INTO t (s) VALUES (?)", [long]) }
        #expect(error?.isFull == true)
        #expect(error?.description.contains("Free some disk space") == true)
    }

    @Test func longStatementIsCutInMessages() {
        let sql = "\n\n   SELECT " + String(repeating: "x", count: 500) + "\nFROM y"
        let error = sqliteError { try connection.execute(sql) }
        #expect(error?.context == "SELECT " + String(repeating: "x", count: 113))
    }

    @Test func appendOnlyTableNeedsItsInsertGuard() throws {
        let noDelete = """
            CREATE TRIGGER no_delete_NAME BEFORE DELETE ON NAME BEGIN SELECT RAISE(ABORT, 'append-only'); END;
            """
        let guarded = """
            CREATE TRIGGER no_replace BEFORE INSERT ON guarded
            WHEN EXISTS (SELECT 1 FROM guarded WHERE id = NEW.id)
            BEGIN SELECT RAISE(ABORT, 'append-only'); END;
            """
        for name in ["unguarded", "guarded"] {
            try connection.execute("CREATE TABLE \(name) (id INTEGER PRIMARY KEY, s TEXT) STRICT")
            try connection.execute("INSERT INTO \(name) VALUES (1, 'first')")
            try connection.execute(noDelete.replacingOccurrences(of: "NAME", with: name))
        }
        try connection.execute(guarded)

        // Our own connections refuse both, because recursive triggers are on.
        for name in ["unguarded", "guarded"] {
            let error = sqliteError { try connection.execute("INSERT OR REPLACE INTO \(name) VALUES (1, 'forged')") }
            #expect(error?.isConstraint == true)
            #expect(error?.message == "append-only")
        }
        // Another program's connection gets past the trigger where there is no guard.
        for (name, kept) in [("unguarded", "forged"), ("guarded", "first")] {
            _ = try folder.sqlite3(
                "a.db", "PRAGMA recursive_triggers = OFF; INSERT OR REPLACE INTO \(name) VALUES (1, 'forged')")
            #expect(try connection.first("SELECT s FROM \(name)") { $0.text(0) } == .some(kept))
        }
    }
}
