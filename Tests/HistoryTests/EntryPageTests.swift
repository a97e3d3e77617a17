import AuditLog
import SQLite
import Testing

@testable import History

@Suite struct EntryPageTests {
    private static let count = HistoryReader.rowsPerRead * 5 / 2

    private let connection: Connection

    /// Two and a half steps of entries; only entry 3 is the end of a run, entry 5 a recovery, and one is where none can be.
    init() throws {
        connection = try HistorySchema.fresh()
        try connection.execute("PRAGMA ignore_check_constraints = ON")
        for entry in [-1] + Array(0..<Self.count) as [Int64] {
            let event: Event = entry == 3 || entry == -1 ? .runFinished : entry == 5 ? .recovered : .serviceStopped
            let leaf = try Leaf(event, at: LeafTime(microseconds: entry), [])
            try connection.execute("INSERT INTO leaf (entry, bytes) VALUES (?, ?)", [.integer(entry), .blob(leaf.bytes)])
        }
    }

    @Test func aStepExaminesABoundedNumberOfEntries() throws {
        let rows = HistoryReader.rowsPerRead
        let first = try EntryPage(of: .runFinished, before: .max, limit: 50, connection)
        #expect(first.entries.isEmpty)
        #expect(first.next == Self.count - rows)
        let second = try EntryPage(of: .runFinished, before: Self.count - rows, limit: 50, connection)
        #expect(second.entries.isEmpty)
        #expect(second.next == Self.count - 2 * rows)
        let last = try EntryPage(of: .runFinished, before: Self.count - 2 * rows, limit: 50, connection)
        #expect(last.entries.map(\.entry) == [3])
        #expect(last.next == nil)
        #expect(try EntryPage(of: .runFinished, before: 0, limit: 50, connection).next == nil)
    }

    @Test func anIndexFindsARareKindAtOnce() throws {
        let page = try EntryPage(of: .recovered, before: .max, limit: 50, connection)
        #expect(page.entries.map(\.entry) == [5])
        #expect(page.examined == 1 && page.next == nil)
    }

    @Test func aStepEndsWithTheLastEntryThatFits() throws {
        let page = try EntryPage(of: .serviceStopped, before: .max, limit: 7, connection)
        #expect(page.entries.map(\.entry) == Array(Self.count - 7..<Self.count).reversed())
        #expect(page.next == Self.count - 7)
        #expect(try EntryPage(of: nil, before: 5, limit: 3, connection).entries.map(\.entry) == [4, 3, 2])
    }

    /// The index, the search without it and the parsed entry agree on the kind of every entry.
    @Test func eachKindIsFound() throws {
        let connection = try HistorySchema.fresh()
        let entries = try SampleEntries.all()
        for (number, entry) in entries.enumerated() {
            let leaf = try Leaf(entry.event.kind, at: LeafTime(microseconds: 0), entry.members)
            try connection.execute("INSERT INTO leaf (entry, bytes) VALUES (?, ?)", [.integer(Int64(number)), .blob(leaf.bytes)])
        }
        for event in Event.allCases {
            let found = try EntryPage.all(of: event, connection).map(\.entry)
            let expected = entries.indices.filter { entries[$0].event.kind == event }.reversed().map(Int64.init)
            #expect(found == expected && !found.isEmpty, "\(event)")
        }
    }

    @Test func aSpoiledEntryCanBeIndexed() throws {
        let spoiled = ["", "\"event\":\"", "\"event\":\"x", "{\"event\":\"recovered", "\u{0}", "{\"event\":\"recovered\""]
        for (number, text) in spoiled.enumerated() {
            try connection.execute("INSERT INTO leaf (entry, bytes) VALUES (?, ?)", [.integer(Self.count + Int64(number)), .blob(Array(text.utf8))])
        }
        #expect(try EntryPage.all(of: .recovered, connection).map(\.entry) == [Self.count + 5, 5])
        // Apart from entry -1, which breaks the table's rule.
        let messages = try connection.query("PRAGMA integrity_check(leaf)") { $0.text(0) ?? "" }
        #expect(messages.allSatisfy { $0 == "ok" || $0 == "CHECK constraint failed in leaf" }, "\(messages)")
    }
}
