import Foundation
import TestSupport
import Testing

@testable import SQLite

@Suite struct OpeningTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test(arguments: [0o000, 0o022, 0o077, 0o777] as [mode_t])
    func newFileIsTheOwnersAloneWhateverTheUmask(_ mask: mode_t) async throws {
        let folder = folder
        try await onOwnThread {
            #expect(ThreadCall.unshareUmask() == 0)
            umask(mask)
            let connection = try Connection(path: folder("new.db"), mode: .create)
            try connection.execute("CREATE TABLE t (a INTEGER) STRICT")
            #expect(try folder.mode("new.db") == 0o600)
            // The journal, too, holds rows.
            try connection.transaction {
                try connection.execute("INSERT INTO t VALUES (1)")
                #expect(try folder.mode("new.db-journal") == 0o600)
            }
        }
        #expect(try folder.sqlite3("new.db", "PRAGMA integrity_check") == "ok")
    }

    @Test func everyGuardIsOn() throws {
        let connection = try Connection(path: folder("a.db"), mode: .create)
        let expected: [(String, Int64)] = [
            ("foreign_keys", 1), ("recursive_triggers", 1), ("trusted_schema", 0), ("cell_size_check", 1),
            ("synchronous", 3), ("writable_schema", 0), ("secure_delete", 1),
        ]
        for (name, value) in expected {
            #expect(try connection.first("PRAGMA \(name)") { $0.integer(0) } == .some(value), "\(name)")
        }
        #expect(try connection.first("PRAGMA journal_mode") { $0.text(0) } == .some("delete"))
        // Defensive mode: the switch stays off.
        try connection.execute("PRAGMA writable_schema = ON")
        #expect(sqliteError { try connection.execute("DELETE FROM sqlite_schema") } != nil)
        #expect(try connection.first("PRAGMA journal_mode = OFF") { $0.text(0) } == .some("delete"))
        // A misspelt column is an error, not a string.
        let typo = sqliteError { _ = try connection.first("SELECT \"no such column\"") { $0.text(0) } }
        #expect(typo?.message == "no such column: no such column")
        #expect(sqliteError { try connection.execute("CREATE TABLE d (a, CHECK (a <> \"b\"))") } != nil)
        #expect(sqliteError { _ = try connection.first("SELECT load_extension('x')") { $0.text(0) } } != nil)
        let reader = try Connection(path: folder("a.db"), mode: .readOnly)
        #expect(try reader.first("PRAGMA trusted_schema") { $0.integer(0) } == .some(0))
    }

    @Test func reopensWhatItWrote() throws {
        let first = try Connection(path: folder("a.db"), mode: .create)
        try first.execute("CREATE TABLE t (a TEXT) STRICT; INSERT INTO t VALUES ('kept')")
        first.close()
        for mode in [Connection.Mode.create, .readWrite, .readOnly] {
            let again = try Connection(path: folder("a.db"), mode: mode)
            #expect(try again.first("SELECT a FROM t") { $0.text(0) } == .some("kept"))
        }
        #expect(try folder.sqlite3("a.db", "SELECT a FROM t") == "kept")
    }

    @Test func missingFileIsCreatedInOneModeOnly() throws {
        for mode in [Connection.Mode.readWrite, .readOnly] {
            let error = sqliteError { _ = try Connection(path: folder("none.db"), mode: mode) }
            #expect(error?.code == 14)
            #expect(error?.description.contains("open \(folder("none.db")): the file cannot be looked at: No such file or directory") == true)
            #expect(!FileManager.default.fileExists(atPath: folder("none.db")))
        }
        let error = sqliteError { _ = try Connection(path: folder("none/a.db"), mode: .create) }
        #expect(error?.message == "the folder cannot be used: No such file or directory")
    }

    @Test func symbolicLinkIsRefused() throws {
        try Connection(path: folder("real.db"), mode: .create).execute("CREATE TABLE t (a)")
        symlink(folder("real.db"), folder("link.db"))
        symlink(folder("nowhere.db"), folder("dangling.db"))
        for name in ["link.db", "dangling.db"] {
            for mode in [Connection.Mode.create, .readWrite, .readOnly] {
                let error = sqliteError { _ = try Connection(path: folder(name), mode: mode) }
                #expect(error?.message == "the file is a symbolic link")
                #expect(error?.code == 14)
            }
        }
        #expect(!FileManager.default.fileExists(atPath: folder("nowhere.db")))
    }

    @Test func folderMayBeASymbolicLink() throws {
        mkdir(folder("private"), 0o700)
        symlink("private", folder("state"))
        try Connection(path: folder("state/a.db"), mode: .create).execute("CREATE TABLE t (a)")
        #expect(try folder.sqlite3("private/a.db", "SELECT count(*) FROM t") == "0")
    }

    @Test func relativePathAndQuestionMarksAreJustNames() throws {
        // Debian's SQLite takes "file:" names for URIs.
        let path = folder("file:a.db?mode=memory")
        try Connection(path: path, mode: .create).execute("CREATE TABLE t (a)")
        #expect(try folder.mode("file:a.db?mode=memory") == 0o600)
        #expect(try folder.bytes("file:a.db?mode=memory").count > 0)
        let context = "open"
        #expect(try DatabaseFile.resolve("a.db", context: context).hasSuffix("/a.db"))
        #expect(try DatabaseFile.resolve("/a.db", context: context) == "/a.db")
    }

    @Test(arguments: ["", "/", "/tmp/", "/tmp/..", ".", "/tmp/a\0b"])
    func pathThatNamesNoFileIsRefused(_ path: String) {
        let error = sqliteError { _ = try Connection(path: path, mode: .create) }
        #expect(error?.message == "this path does not name a file")
    }

    @Test func folderAndFIFOAreRefused() throws {
        mkdir(folder("folder.db"), 0o700)
        mkfifo(folder("fifo.db"), 0o600)
        for name in ["folder.db", "fifo.db"] {
            for mode in [Connection.Mode.create, .readOnly] {
                let error = sqliteError { _ = try Connection(path: folder(name), mode: mode) }
                #expect(error?.message == "not a regular file")
            }
        }
    }

    @Test func notADatabaseIsToldAndLeftAlone() throws {
        let text = [UInt8](String(repeating: "This is somebody's letter, not a database. ", count: 200).utf8)
        try folder.write(text, to: "letter.txt")
        for mode in [Connection.Mode.create, .readWrite, .readOnly] {
            let error = sqliteError { _ = try Connection(path: folder("letter.txt"), mode: mode) }
            #expect(error?.isCorruptOrNotADatabase == true)
            #expect(error?.context == "open \(folder("letter.txt"))")
            #expect(
                error?.description == "open \(folder("letter.txt")): file is not a database (SQLite code 26). "
                    + "Check the path, or restore the database from a backup")
        }
        #expect(try folder.bytes("letter.txt") == text)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["letter.txt"])
    }

    @Test func damagedPageIsCorruption() throws {
        let connection = try Connection(path: folder("a.db"), mode: .create)
        try connection.execute("CREATE TABLE t (a TEXT) STRICT; INSERT INTO t VALUES ('x')")
        connection.close()
        var bytes = try folder.bytes("a.db")
        for index in 4096..<8192 { bytes[index] = 0xFF }
        try folder.write(bytes, to: "a.db")
        let again = try Connection(path: folder("a.db"), mode: .readWrite)
        let error = sqliteError { _ = try again.query("SELECT a FROM t") { $0.text(0) } }
        #expect(error?.isCorruptOrNotADatabase == true)
        #expect(error?.description.contains("restore it from a backup") == true)
    }

    @Test func fileThatMayNotBeWrittenIsToldAtOnce() async throws {
        let folder = folder
        try Connection(path: folder("a.db"), mode: .create).execute("CREATE TABLE t (a)")
        chmod(folder("a.db"), 0o444)
        chmod(folder.path, 0o555)
        try await onOwnThread {
            ThreadCall.becomeNobodyForFiles()
            let error = sqliteError { _ = try Connection(path: folder("a.db"), mode: .readWrite) }
            #expect(error?.isReadOnly == true)
            #expect(error?.description.contains("Check owner and mode") == true)
            let reader = try Connection(path: folder("a.db"), mode: .readOnly)
            #expect(try reader.first("SELECT count(*) FROM t") { $0.integer(0) } == .some(0))

            let missing = sqliteError { _ = try Connection(path: folder("new.db"), mode: .create) }
            #expect(missing?.message == "the file cannot be created: Permission denied")
        }
    }

    @Test func systemsReasonIsTold() async throws {
        let folder = folder
        try Connection(path: folder("a.db"), mode: .create).execute("CREATE TABLE t (a)")
        chmod(folder("a.db"), 0o000)
        chmod(folder.path, 0o555)
        try await onOwnThread {
            ThreadCall.becomeNobodyForFiles()
            let error = sqliteError { _ = try Connection(path: folder("a.db"), mode: .readOnly) }
            #expect(error?.code == 14)
            #expect(error?.message == "unable to open database file: Permission denied")
        }
        // A file that may be written, in a folder where its journal may not be.
        chmod(folder("a.db"), 0o666)
        try await onOwnThread {
            ThreadCall.becomeNobodyForFiles()
            let connection = try Connection(path: folder("a.db"), mode: .readWrite)
            #expect(sqliteError { try connection.execute("INSERT INTO t VALUES (1)") }?.isReadOnly == true)
        }
    }

    @Test func interruptedWriterIsUndoneByTheNextOne() throws {
        let connection = try Connection(path: folder("a.db"), mode: .create)
        try connection.execute("CREATE TABLE t (a TEXT) STRICT; INSERT INTO t VALUES ('before')")
        // What a machine leaves that stops between the journal and the commit: both files as they are right now.
        try connection.transaction {
            try connection.execute("PRAGMA cache_size = 1; PRAGMA cache_spill = 1")
            try connection.execute("UPDATE t SET a = 'after'")
            let long = Value.text(String(repeating: "x", count: 4000))
            for _ in 0..<100 { try connection.execute("INSERT INTO t VALUES (?)", [long]) }
            // In a process of its own: reading the file in this one would drop the connection's locks.
            _ = try folder.run("/bin/cp", [folder("a.db"), folder("b.db")])
            _ = try folder.run("/bin/cp", [folder("a.db-journal"), folder("b.db-journal")])
        }
        let error = sqliteError { _ = try Connection(path: folder("b.db"), mode: .readOnly) }
        #expect(error?.extendedCode == 776)
        #expect(error?.description.contains("A writer was interrupted") == true)
        let writer = try Connection(path: folder("b.db"), mode: .readWrite)
        #expect(try writer.query("SELECT a FROM t") { $0.text(0) } == ["before"])
        #expect(try folder.sqlite3("b.db", "PRAGMA integrity_check") == "ok")
    }

    @Test func readerCannotWrite() throws {
        try Connection(path: folder("a.db"), mode: .create).execute("CREATE TABLE t (a)")
        let reader = try Connection(path: folder("a.db"), mode: .readOnly)
        #expect(sqliteError { try reader.execute("INSERT INTO t VALUES (1)") }?.isReadOnly == true)
    }

    @Test func closedConnectionAnswersWithAnError() throws {
        let connection = try Connection(path: folder("a.db"), mode: .create)
        try connection.execute("CREATE TABLE t (a BLOB); INSERT INTO t VALUES (x'00')")
        _ = try connection.query("SELECT a FROM t") { $0.blob(0) }
        connection.close()
        connection.close()
        let calls: [() throws -> Void] = [
            { try connection.execute("SELECT 1") },
            { _ = try connection.query("SELECT a FROM t") { $0.blob(0) } },
            { try connection.transaction {} },
            { try connection.forEachBlobPiece(table: "t", column: "a", rowid: 1) { _ in } },
        ]
        for call in calls {
            #expect(sqliteError(call)?.message == "the connection is closed")
        }
    }

    @Test func closingWithinAQueryIsHarmless() throws {
        let connection = try Connection(path: folder("a.db"), mode: .create)
        try connection.execute("CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('x'), ('y')")
        let rows = try connection.query("SELECT a FROM t") { row in
            connection.close()
            return row.text(0)
        }
        #expect(rows == ["x", "y"])
    }
}
