import JSON
import SQLite
import Testing

@testable import History

@Suite struct RowFactsTests {
    private static let table = RunTable.started

    /// What is in the columns, by SQLite's own notation, in a table without the constraints of ours.
    private func facts(_ values: [String]) throws -> (read: [[UInt8]?], expected: [[UInt8]?]) {
        let connection = try Connection.inMemory()
        try connection.execute("CREATE TABLE t (\(Self.table.selection))")
        let all = values + Array(repeating: "NULL", count: Self.table.columns.count - values.count)
        try connection.execute("INSERT INTO t VALUES (\(all.joined(separator: ", ")))")
        let found = try connection.first("SELECT \(Self.table.selection) FROM t") { row in
            let facts = RowFacts(row, of: Self.table)
            var read: [[UInt8]?] = []
            facts.forEach { column, fact in
                #expect(column == read.count)
                read.append(fact[0] == 0 ? nil : fact.withUnsafeBufferPointer { Array($0) })
            }
            return (read, Self.table.columns.indices.map { Self.table.fact($0, of: row)?.encoded() })
        }
        return try #require(found)
    }

    @Test func factsAreThoseOfTheRow() throws {
        let texts = [
            "'plain'", "''", "'\"'", "'back\\nslash'", "'a' || char(10) || 'b'", "char(0)", "'é…' || char(31)",
            "printf('%.5000c', 'x')", "char(10)", "'null'",
        ]
        let (read, expected) = try facts(texts)
        #expect(read == expected)
        #expect(read.count == Self.table.columns.count)
    }

    @Test func whatTheProgramNeverWritesIsNoFact() throws {
        // The tenth and eleventh are uid and flag.
        let (read, expected) = try facts(["x'61'", "1.5", "-7", "7"] + Array(repeating: "NULL", count: 6) + ["0", "2", "'end'"])
        #expect(read == expected)
        #expect(read[0] == nil && read[1] == nil && read[11] == nil)
        #expect(read[2] == Array("-7".utf8) && read[10] == Array("0".utf8) && read[12] == Array("\"end\"".utf8))
    }

    @Test func bytesThatAreNoTextAreNotRepaired() throws {
        let (read, expected) = try facts(["CAST(x'61FF' AS TEXT)"])
        #expect(read[0] == [0x22, 0x61, 0xFF, 0x22])
        #expect(read[0] != expected[0])
    }
}
