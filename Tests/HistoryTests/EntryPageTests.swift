import AuditLog
import SQLite
import Testing

@testable import History

@Suite struct EntryPageTests {
    private let connection: Connection

    /// 2,500 entries; only entry 3 is of the kind that is searched for, and one is where none can be.
    init() throws {
        connection = try HistorySchema.fresh()
        try connection.execute("PRAGMA ignore_check_constraints = ON")
        for entry in [-1] + Array(0..<2500) as [Int64] {
            let event: Event = entry == 3 || entry == -1 ? .recovered : .serviceStopped
            let leaf = try Leaf(event, at: LeafTime(microseconds: entry), [])
            try connection.execute("INSERT INTO leaf (entry, bytes) VALUES (?, ?)", [.integer(entry), .blob(leaf.bytes)])
        }
    }

    @Test func aStepExaminesNoMoreThanAThousandEntries() throws {
        let first = try EntryPage(of: .recovered, before: .max, limit: 50, connection)
        #expect(first.entries.isEmpty)
        #expect(first.examined == 1500)
        let second = try EntryPage(of: .recovered, before: 1500, limit: 50, connection)
        #expect(second.entries.isEmpty)
        #expect(second.examined == 500)
        let last = try EntryPage(of: .recovered, before: 500, limit: 50, connection)
        #expect(last.entries.map(\.entry) == [3])
        #expect(last.examined == 0)
        #expect(try EntryPage(of: .recovered, before: 0, limit: 50, connection).examined == nil)
    }

    @Test func aStepEndsWithTheLastEntryThatFits() throws {
        let page = try EntryPage(of: .serviceStopped, before: .max, limit: 7, connection)
        #expect(page.entries.map(\.entry) == Array(2493..<2500).reversed())
        #expect(page.examined == 2493)
        #expect(try EntryPage(of: nil, before: 5, limit: 3, connection).entries.map(\.entry) == [4, 3, 2])
    }
}
