import Foundation
import TestSupport
import Testing

@testable import SQLite

@Suite struct ValueTests {
    let folder: TemporaryFolder
    let connection: Connection

    init() throws {
        folder = try TemporaryFolder()
        connection = try Connection(path: folder("a.db"), mode: .create)
        try connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, i INTEGER, r REAL, s TEXT, b BLOB) STRICT")
    }

    @Test func everyTypeComesBackAsItWent() throws {
        let blob = [UInt8](0...255)
        try connection.execute(
            "INSERT INTO t VALUES (1, ?, ?, ?, ?)",
            [.integer(.min), .real(-1.5e300), .text("günstig 🐘"), .blob(blob)])
        try connection.first("SELECT i, r, s, b FROM t") { row in
            #expect(row.integer(0) == .min)
            #expect(row.real(1) == -1.5e300)
            #expect(row.text(2) == "günstig 🐘")
            #expect(row.blob(3) == blob)
        }
        let seen = try folder.sqlite3("a.db", "SELECT i, s, hex(b) FROM t")
        #expect(seen == "-9223372036854775808|günstig 🐘|" + blob.map { String(format: "%02X", $0) }.joined())
    }

    @Test func textKeepsItsNULs() throws {
        for text in ["a\0b", "\0", "\0\0end", ""] {
            try connection.execute("DELETE FROM t")
            try connection.execute("INSERT INTO t (s) VALUES (?)", [.text(text)])
            let back = try connection.first("SELECT s, typeof(s), hex(s) FROM t") { row in
                (row.text(0), row.text(1), row.text(2))
            }
            #expect(back?.0 == text)
            #expect(back?.1 == "text")
            #expect(back?.2 == text.utf8.map { String(format: "%02X", $0) }.joined())
        }
    }

    @Test func emptyBlobIsNotNull() throws {
        try connection.execute("INSERT INTO t (b) VALUES (?)", [.blob([])])
        try connection.first("SELECT b, typeof(b) FROM t") { row in
            #expect(row.blob(0) == [])
            #expect(!row.isNull(0))
            #expect(row.text(1) == "blob")
        }
    }

    @Test func nullsAndOptionals() throws {
        try connection.execute(
            "INSERT INTO t (i, r, s, b) VALUES (?, ?, ?, ?)",
            [.optional(nil as Int64?), nil, .optional(nil as String?), .null])
        try connection.first("SELECT i, r, s, b FROM t") { row in
            for column in 0..<4 { #expect(row.isNull(column)) }
        }
        #expect(Value.optional("x" as String?) == "x")
        #expect(Value.optional(7 as Int64?) == 7)
        #expect(Value.real(0.5) == 0.5)
    }

    @Test func otherTypesAndColumnsAnswerNil() throws {
        try connection.first("SELECT 1, 1.0, 'one', x'01', NULL") { row in
            #expect(row.real(0) == nil && row.text(0) == nil && row.blob(0) == nil)
            #expect(row.integer(1) == nil && row.text(1) == nil)
            #expect(row.integer(2) == nil && row.blob(2) == nil)
            #expect(row.text(3) == nil && row.integer(3) == nil)
            for column in [4, 5, -1, .max, .min] {
                #expect(row.isNull(column))
                #expect(row.integer(column) == nil && row.real(column) == nil)
                #expect(row.text(column) == nil && row.blob(column) == nil)
            }
        }
    }

    @Test func badUTF8IsRepaired() throws {
        let text = try connection.first("SELECT CAST(x'61FF62C3' AS TEXT)") { $0.text(0) }
        #expect(text == .some("a\u{FFFD}b\u{FFFD}"))
    }

    @Test func bytesAreHandedOverAsTheyAre() throws {
        try connection.first("SELECT CAST(x'61FF0062' AS TEXT), x'01FF', x'', 1, NULL") { row in
            var bytes: [UInt8] = [7]
            #expect(row.append(0, to: &bytes))
            #expect(bytes == [7, 0x61, 0xFF, 0, 0x62])
            for column in [1, 3, 4, 5, -1] { #expect(!row.append(column, to: &bytes)) }
            #expect(bytes.count == 5)
            func blob(_ column: Int) -> [UInt8]? { row.blob(column) { span in span.withUnsafeBytes { Array($0) } } }
            #expect(blob(1) == [1, 0xFF])
            #expect(blob(2) == [])
            for column in [0, 3, 4, 5, -1] { #expect(blob(column) == nil) }
        }
    }

    @Test func escapedRowAnswersNil() throws {
        try connection.execute("INSERT INTO t (s) VALUES ('one'), ('two')")
        var rows: [Row] = []
        _ = try connection.query("SELECT s FROM t") { row in
            rows.append(row)
            #expect(row.text(0) != nil)
            if rows.count == 2 { #expect(rows[0].text(0) == nil) }
        }
        #expect(rows.count == 2)
        connection.close()
        for row in rows {
            #expect(row.text(0) == nil)
            #expect(row.isNull(0))
        }
    }

    @Test func aMebibyteGoesThere() throws {
        let blob = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try connection.execute("INSERT INTO t (id, b) VALUES (5, ?)", [.blob(blob)])
        #expect(try connection.first("SELECT b FROM t") { $0.blob(0) } == .some(blob))

        var pieces: [[UInt8]] = []
        try connection.forEachBlobPiece(table: "t", column: "b", rowid: 5, pieceBytes: 100_000) { pieces.append($0) }
        #expect(pieces.map(\.count) == Array(repeating: 100_000, count: 10) + [48_576])
        #expect(Array(pieces.joined()) == blob)
    }

    @Test(arguments: [(0, 10), (3, 4), (9, 1), (10, 0), (0, 0), (4, nil)] as [(Int, Int?)])
    func partOfABlob(offset: Int, count: Int?) throws {
        let blob = [UInt8](0..<10)
        try connection.execute("INSERT INTO t (id, b) VALUES (1, ?)", [.blob(blob)])
        var bytes: [UInt8] = []
        try connection.forEachBlobPiece(
            table: "t", column: "b", rowid: 1, offset: offset, count: count, pieceBytes: 3
        ) { piece in
            #expect((1...3).contains(piece.count))
            bytes += piece
        }
        #expect(bytes == Array(blob[offset..<(offset + (count ?? 10 - offset))]))
    }

    @Test(
        arguments: [
            (-1, 1), (0, 11), (11, 0), (11, nil), (0, -1), (.max, .max), (1, .max), (.min, nil),
        ] as [(Int, Int?)])
    func rangeOutsideABlobIsRefused(offset: Int, count: Int?) throws {
        try connection.execute("INSERT INTO t (id, b) VALUES (1, zeroblob(10))")
        let error = sqliteError {
            try connection.forEachBlobPiece(table: "t", column: "b", rowid: 1, offset: offset, count: count) { _ in
                Issue.record("bytes were handed out")
            }
        }
        #expect(error?.code == 25)
        #expect(error?.message == "the range is not within the 10 bytes stored")
    }

    @Test func whatIsNoBlobIsRefused() throws {
        try connection.execute("INSERT INTO t (id, i, b) VALUES (1, 5, NULL), (2, 5, x'00')")
        let calls: [(String, String, Int64, Int)] = [
            ("t", "b", 1, 1), ("t", "i", 1, 1), ("t", "b", 9, 1), ("t", "x", 2, 1), ("x", "b", 2, 1), ("t", "b", 2, 0),
        ]
        for (table, column, row, pieceBytes) in calls {
            let error = sqliteError {
                try connection.forEachBlobPiece(
                    table: table, column: column, rowid: row, pieceBytes: pieceBytes
                ) { _ in Issue.record("bytes were handed out") }
            }
            #expect(error?.context == "read \(table).\(column) of row \(row)")
        }
    }

    @Test func blobThatChangesMeanwhileIsAnError() throws {
        try connection.execute("INSERT INTO t (id, b) VALUES (1, zeroblob(10))")
        let error = sqliteError {
            try connection.forEachBlobPiece(table: "t", column: "b", rowid: 1, pieceBytes: 5) { _ in
                try connection.execute("UPDATE t SET b = zeroblob(3) WHERE id = 1")
            }
        }
        #expect(error?.code == 4)
    }

    @Test func theReadersOwnErrorEndsABlob() throws {
        struct Stop: Error {}
        try connection.execute("INSERT INTO t (id, b) VALUES (1, zeroblob(10))")
        #expect(throws: Stop.self) {
            try connection.forEachBlobPiece(table: "t", column: "b", rowid: 1, pieceBytes: 5) { _ in throw Stop() }
        }
        // Nothing is left open that would stand in a writer's way.
        #expect(try folder.sqlite3("a.db", "DELETE FROM t; SELECT count(*) FROM t") == "0")
    }
}
