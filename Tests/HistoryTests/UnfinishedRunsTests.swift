import RunProtocol
import SQLite
import TestSupport
import Testing

@testable import History

@Suite struct UnfinishedRunsTests {
    /// A history in memory that counts what is read of it.
    private final class Runs {
        var unfinished: Set<Int64> = []
        var count: Int64 = 0
        private(set) var readFrom: [Int64] = []

        func page(after: Int64) -> [(run: Int64, isFinished: Bool)] {
            readFrom.append(after)
            return after < count ? ((after + 1)...min(after + 10, count)).map { ($0, !unfinished.contains($0)) } : []
        }
    }

    @Test func allPagesAreRead() {
        let (known, runs) = (UnfinishedRuns(), Runs())
        #expect(known.find(after: { 0 }, runs.page).isEmpty)
        runs.count = 25
        runs.unfinished = [3, 10, 11, 25]
        #expect(known.find(after: { 0 }, runs.page) == [3, 10, 11, 25])
    }

    @Test func whatHasEndedIsNotReadAgain() {
        let (known, runs) = (UnfinishedRuns(), Runs())
        runs.count = 25
        runs.unfinished = [24]
        #expect(known.find(after: { 0 }, runs.page) == [24])
        #expect(runs.readFrom == [0, 10, 20, 25])
        #expect(known.find(after: { 0 }, runs.page) == [24])
        #expect(runs.readFrom.dropFirst(4) == [23, 25], "from the first run that has not ended")
        runs.unfinished = []
        runs.count = 26
        #expect(known.find(after: { 0 }, runs.page).isEmpty)
        #expect(known.find(after: { 0 }, runs.page).isEmpty)
        #expect(runs.readFrom.last == 26)
    }

    /// In a file whose pages were edited the next page may begin before the last one.
    @Test func aPageThatLeadsBackEndsTheSearch() {
        let known = UnfinishedRuns()
        var pages = 0
        let found = known.find(after: { 0 }) { _ -> [(run: Int64, isFinished: Bool)] in
            pages += 1
            return [(run: 5, isFinished: false)]
        }
        #expect(found == [5, 5])
        #expect(pages == 2)
    }

    @Test func anErrorChangesNothing() {
        struct Failure: Error {}
        let (known, runs) = (UnfinishedRuns(), Runs())
        runs.count = 25
        #expect(throws: Failure.self) {
            try known.find(after: { () throws(Failure) in 0 }) { (after) throws(Failure) -> [(run: Int64, isFinished: Bool)] in
                if after == 20 { throw Failure() }
                return runs.page(after: after)
            }
        }
        runs.unfinished = [2]
        #expect(known.find(after: { 0 }, runs.page) == [2])
    }
}

/// With a database, where the lengths of the tables tell how many runs to look for.
@Suite struct UnfinishedRunsInDatabaseTests {
    private func found(runs: Int64, unfinished: Set<Int64>) throws -> (first: [Int64], later: [Int64]) {
        let folder = try TemporaryFolder()
        let connection = try Connection(path: folder("a.db"), mode: .create)
        try HistorySchema.migrate(connection)
        try connection.transaction {
            for run in 1...runs {
                try RunTable.started.insert(SampleRun.start.members, run: run, connection)
                if !unfinished.contains(run) { try RunTable.finished.insert(SampleRun.finish.members, run: run, connection) }
            }
        }
        let reader = try HistoryReader(opening: folder("a.db"))
        let first = try reader.unfinishedRuns()
        if let run = unfinished.max() { try RunTable.finished.insert(SampleRun.finish.members, run: run, connection) }
        try RunTable.started.insert(SampleRun.start.members, run: runs + 1, connection)
        return (first, try reader.unfinishedRuns())
    }

    @Test(arguments: [[], [40], [39, 40], [1], [1, 20, 40], Array(1...40)]) func allAreFound(_ unfinished: [Int64]) throws {
        let found = try found(runs: 40, unfinished: Set(unfinished))
        #expect(found.first == unfinished)
        #expect(found.later == unfinished.dropLast() + [41])
    }

    @Test func anEmptyHistoryHasNone() throws {
        let folder = try TemporaryFolder()
        try HistorySchema.migrate(try Connection(path: folder("a.db"), mode: .create))
        #expect(try HistoryReader(opening: folder("a.db")).unfinishedRuns().isEmpty)
    }
}
