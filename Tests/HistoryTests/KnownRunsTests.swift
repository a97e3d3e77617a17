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
