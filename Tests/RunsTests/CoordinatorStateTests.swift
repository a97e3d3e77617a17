import Testing

@testable import Runs

@Suite struct CoordinatorStateTests {
    private var state = CoordinatorState()

    private func kind(_ answer: RunAnswer?) -> String {
        switch answer {
        case nil: "begins"
        case .busy: "busy"
        case .leaving: "leaving"
        case .notStarted(let reason): reason
        default: "another answer"
        }
    }

    @Test mutating func oneRunBeginsAndTheNextRequestIsBusy() {
        #expect(kind(state.request()) == "begins")
        #expect(state.hasRun && !state.isIdle && state.obstacle == nil)
        #expect(kind(state.request()) == "busy")
        state.end()
        #expect(!state.hasRun && state.isIdle)
        #expect(kind(state.request()) == "begins")
    }

    @Test mutating func aFollowedRunIsARun() {
        state.follow()
        #expect(state.hasRun && state.obstacle == nil)
        #expect(kind(state.request()) == "busy")
        state.end()
        #expect(kind(state.request()) == "begins")
    }

    @Test mutating func noRunBeginsWhileTheLastOneIsNotRecorded() {
        _ = state.request()
        state.endWithoutRecord()
        #expect(!state.hasRun && !state.isIdle && state.obstacle == .unrecorded)
        #expect(kind(state.request()) == "the end of the last run is not recorded yet")
        state.end()
        #expect(state.obstacle == nil)
        #expect(kind(state.request()) == "begins")
    }

    @Test(arguments: ["idle", "running", "unrecorded"]) mutating func aServiceThatLeavesStartsNothingMore(from phase: String) {
        if phase != "idle" { _ = state.request() }
        if phase == "unrecorded" { state.endWithoutRecord() }
        state.leave()
        for _ in 0..<2 {
            #expect(kind(state.request()) == "leaving")
            #expect(!state.hasRun && !state.isIdle && state.obstacle == .leaving)
            // What still goes on ends behind it.
            state.endWithoutRecord()
            state.end()
        }
        state.follow()
        #expect(state.obstacle == .leaving)
    }

    @Test mutating func whatNeverRanCannotBeUnrecorded() {
        state.endWithoutRecord()
        #expect(state.isIdle)
    }
}
