import Foundation
import TestSupport
import Testing

@testable import SQLite

@Suite struct BackupTests {
    let folder: TemporaryFolder
    let source: Connection
    let writer: Connection
    let target: Connection

    /// A hundred pages and more, written by one connection and copied by another.
    init() throws {
        folder = try TemporaryFolder()
        writer = try Connection(path: folder("a.db"), mode: .create, busyTimeoutMilliseconds: 0)
        try writer.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB NOT NULL) STRICT")
        source = try Connection(path: folder("a.db"), mode: .readOnly)
        target = try Connection(path: folder("copy.db"), mode: .create)
        try writer.transaction { for _ in 0..<100 { try write() } }
    }

    private func write() throws {
        try writer.execute("INSERT INTO t (b) VALUES (?)", [.blob([UInt8](repeating: 7, count: 3500))])
    }

    private func pace(longestLock: Double = 20) -> BackupPace {
        var pace = BackupPace()
        pace.pagesPerStep = 10
        pace.longestLock = longestLock
        return pace
    }

    private func copied() throws -> Int64? {
        #expect(try folder.sqlite3("copy.db", "PRAGMA integrity_check") == "ok")
        return try target.first("SELECT count(*) FROM t") { $0.integer(0) } ?? nil
    }

    @Test func aDatabaseThatNobodyWritesIsCopiedInSteps() throws {
        var pauses = 0
        try source.backUp(to: target, pace: pace()) { pauses += 1 }
        #expect(pauses >= 10)
        #expect(try copied() == 100)
    }

    @Test func oneWriteBetweenTwoStepsIsInTheCopy() throws {
        var pauses = 0
        try source.backUp(to: target, pace: pace()) {
            pauses += 1
            if pauses == 5 { #expect(throws: Never.self) { try write() } }
        }
        #expect(try copied() == 101)
    }

    /// The writer never waits between steps, and the copy ends all the same: the last attempt keeps writers out.
    @Test func aDatabaseThatIsWrittenAllTheTimeIsCopied() throws {
        var pauses: Int64 = 0
        try source.backUp(to: target, pace: pace()) {
            pauses += 1
            #expect(throws: Never.self) { try write() }
        }
        #expect(pauses == 5, "one attempt and four that began again")
        #expect(try copied() == 100 + pauses)
        try write()
    }

    @Test func keepingWritersOutIsLimitedInTime() throws {
        let error = sqliteError { try source.backUp(to: target, pace: pace(longestLock: 0)) { #expect(throws: Never.self) { try write() } } }
        #expect(error?.isBusy == true)
        #expect(error?.message.contains("takes longer than 0 s") == true)
        // Whatever became of the copy, the writer goes on.
        try write()
    }
}
