import RunProtocol
import Testing

@testable import History

@Suite struct LastRunTests {
    private func run(_ id: Int64, _ outcome: Outcome) -> LastRun { LastRun(id: id, SampleRun.start, outcome) }

    @Test func theNewestRunIsKnown() {
        let known = KnownRuns()
        #expect(known.lastRun == nil)
        known.note(run(4, .running))
        #expect(known.lastRun == LastRun(id: 4, user: "rina", trigger: "api", outcome: "running"))
        known.note(run(5, .running))
        known.note(run(4, .succeeded))
        #expect(known.lastRun == run(5, .running), "an older run does not replace it")
    }

    /// A read that began before the end was recorded may come back after it.
    @Test func anEndIsNeverUndone() {
        let known = KnownRuns()
        known.note(run(4, .running))
        known.noteEnd(of: 4, .failed)
        known.note(run(4, .running))
        #expect(known.lastRun == run(4, .failed))
        known.note(run(4, .succeeded))
        #expect(known.lastRun == run(4, .failed))
    }

    @Test func theEndOfAnotherRunChangesNothing() {
        let known = KnownRuns()
        known.noteEnd(of: 3, .failed)
        #expect(known.lastRun == nil)
        known.note(run(4, .running))
        known.noteEnd(of: 3, .failed)
        #expect(known.lastRun == run(4, .running))
    }

    @Test func theNewestRunIsReadFromTheDatabase() throws {
        let connection = try HistorySchema.fresh()
        #expect(try LastRun.read(connection) == nil)
        try RunTable.started.insert(SampleRun.start.members, run: 1, connection)
        try HistoryStore.insert(SampleRun.finish, 1, connection)
        #expect(try LastRun.read(connection) == run(1, .failed))
        try RunTable.started.insert(SampleRun.start.members, run: 2, connection)
        #expect(try LastRun.read(connection) == run(2, .running))
    }
}

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
        let (known, runs) = (KnownRuns(), Runs())
        #expect(known.unfinished(runs.page).isEmpty)
        runs.count = 25
        runs.unfinished = [3, 10, 11, 25]
        #expect(known.unfinished(runs.page) == [3, 10, 11, 25])
    }

    @Test func whatHasEndedIsNotReadAgain() {
        let (known, runs) = (KnownRuns(), Runs())
        runs.count = 25
        runs.unfinished = [24]
        #expect(known.unfinished(runs.page) == [24])
        #expect(runs.readFrom == [0, 10, 20, 25])
        #expect(known.unfinished(runs.page) == [24])
        #expect(runs.readFrom.dropFirst(4) == [23, 25], "from the first run that has not ended")
        runs.unfinished = []
        runs.count = 26
        #expect(known.unfinished(runs.page).isEmpty)
        #expect(known.unfinished(runs.page).isEmpty)
        #expect(runs.readFrom.last == 26)
    }

    /// In a file whose pages were edited the next page may begin before the last one.
    @Test func aPageThatLeadsBackEndsTheSearch() {
        let known = KnownRuns()
        var pages = 0
        let found = known.unfinished { _ -> [(run: Int64, isFinished: Bool)] in
            pages += 1
            return [(run: 5, isFinished: false)]
        }
        #expect(found == [5, 5])
        #expect(pages == 2)
    }

    @Test func anErrorChangesNothing() {
        struct Failure: Error {}
        let (known, runs) = (KnownRuns(), Runs())
        runs.count = 25
        #expect(throws: Failure.self) {
            try known.unfinished { after throws(Failure) in
                if after == 20 { throw Failure() }
                return runs.page(after: after)
            }
        }
        runs.unfinished = [2]
        #expect(known.unfinished(runs.page) == [2])
    }
}
