import History
import Testing

@testable import RunProtocol
@testable import Runs

@Suite struct RunEndingTests {
    private let now: Int64 = 1_800_000_000_000

    private static func result(
        startError: String? = nil, stop: StopReason? = nil, exitCode: Int64? = nil, signal: Int64? = nil, lockFileSeen: Bool = false,
        scriptChanged: Bool = false, outputBytes: Int64 = 5
    ) -> RunResult {
        RunResult(
            startError: startError, stop: stop, exitCode: exitCode, signal: signal, lockFileSeen: lockFileSeen,
            scriptChanged: scriptChanged, outputBytes: outputBytes, outputSHA256: String(repeating: "a", count: 64),
            finishedAt: 1_799_999_999_000, durationMilliseconds: 1234)
    }

    private static func output(_ text: String, total: Int64? = nil, truncated: Bool = false) -> OutputSpool.Content {
        OutputSpool.Content(bytes: Array(text.utf8), total: total ?? Int64(text.utf8.count), truncated: truncated)
    }

    private func ending(_ result: RunResult?, _ output: OutputSpool.Content? = Self.output("hello")) -> RunEnding {
        RunEnding(result: result, output: output, timeoutSeconds: 60)
    }

    /// A result, the outcome and the reason that the record has of it.
    struct Case: Sendable, CustomTestStringConvertible {
        let result: RunResult
        let outcome: Outcome
        let why: String?
        var testDescription: String { "\(outcome.rawValue): \(why ?? "-")" }
    }

    static let cases = [
        Case(result: result(exitCode: 0), outcome: .succeeded, why: nil),
        Case(result: result(exitCode: 1), outcome: .failed, why: "exited with code 1"),
        Case(result: result(signal: 9), outcome: .failed, why: "killed by signal 9"),
        Case(result: result(exitCode: 2), outcome: .failed, why: "exited with code 2"),
        Case(result: result(exitCode: 2, lockFileSeen: true), outcome: .alreadyRunning, why: "exited with code 2"),
        Case(result: result(stop: .timeout, signal: 15), outcome: .timedOut, why: "timed out after 60 seconds"),
        Case(result: result(stop: .cancelled, signal: 15), outcome: .cancelled, why: "cancelled by an administrator"),
        Case(result: result(stop: .shutdown, signal: 15), outcome: .interrupted, why: "interrupted"),
        Case(result: result(startError: "Exec format error"), outcome: .startFailed, why: Unfitness.cannotBeExecuted.rawValue),
    ]

    @Test(arguments: cases) func aResultBecomesTheRecord(_ one: Case) {
        let finish = ending(one.result).finish(now: now)
        #expect(finish.outcome == one.outcome)
        #expect(finish.why == one.why)
        #expect(finish.exitCode == one.result.exitCode)
        #expect(finish.signal == one.result.signal)
        #expect(finish.lockFileSeen == one.result.lockFileSeen)
        #expect(finish.finishedAt == one.result.finishedAt)
        #expect(finish.finishedAtExact)
        #expect(finish.durationMilliseconds == 1234)
        #expect(finish.outputSHA256 == one.result.outputSHA256)
        #expect(finish.output == Array("hello".utf8))
        #expect(!finish.outputTruncated)
    }

    @Test func everyOutcomeOfARunThatIsOverIsCovered() {
        #expect(Set(Self.cases.map(\.outcome)) == Set(Outcome.allCases).subtracting([.running]))
    }

    @Test(arguments: [true, false]) func aChangedScriptIsRecorded(_ changed: Bool) {
        #expect(ending(Self.result(exitCode: 0, scriptChanged: changed)).finish(now: now).scriptChanged == changed)
    }

    @Test func aRunThatWasEndedWithoutItsSupervisorIsCancelledWhateverItsResultSays() {
        var ending = ending(Self.result(exitCode: 0))
        ending.wasForced = true
        let finish = ending.finish(now: now)
        #expect(finish.outcome == .cancelled)
        #expect(finish.why == "cancelled by an administrator")
        #expect(finish.exitCode == 0)
    }

    @Test func aPromiseDoesNotChangeWhatASupervisorReports() {
        var ending = ending(Self.result(exitCode: 0))
        ending.wasPromised = true
        #expect(ending.finish(now: now).outcome == .succeeded)
    }

    @Test func aRunWithoutResultIsInterruptedAtTheLatestNow() {
        let finish = ending(nil).finish(now: now)
        #expect(finish.outcome == .interrupted)
        #expect(finish.why == "interrupted")
        #expect(finish.finishedAt == now)
        #expect(!finish.finishedAtExact)
        #expect(finish.durationMilliseconds == nil && finish.exitCode == nil && finish.signal == nil)
        #expect(finish.outputSHA256 == nil && finish.scriptChanged == nil && finish.lockFileSeen == nil)
        #expect(finish.outputBytes == 5)
        #expect(finish.output == Array("hello".utf8))
    }

    @Test(arguments: [(true, false), (false, true), (true, true)]) func aRunWithoutResultThatSomebodyWantedEndedIsCancelled(
        _ forced: Bool, _ promised: Bool
    ) {
        var ending = ending(nil)
        (ending.wasForced, ending.wasPromised) = (forced, promised)
        #expect(ending.finish(now: now).outcome == .cancelled)
        #expect(ending.finish(now: now).why == "cancelled by an administrator")
    }

    @Test func anOutputThatWasCutIsTruncated() {
        let cut = Self.output("ab[...]yz", total: 1000, truncated: true)
        let finish = ending(Self.result(exitCode: 0, outputBytes: 1000), cut).finish(now: now)
        #expect(finish.outputTruncated && finish.outputBytes == 1000)
        #expect(ending(nil, cut).finish(now: now).outputTruncated)
    }

    @Test func anOutputThatLacksBytesOfTheResultIsTruncated() {
        #expect(ending(Self.result(exitCode: 0, outputBytes: 6)).finish(now: now).outputTruncated)
    }

    @Test func anOutputThatCannotBeReadIsEmptyAndTruncated() {
        let finish = ending(Self.result(exitCode: 0), nil).finish(now: now)
        #expect(finish.output.isEmpty && finish.outputTruncated && finish.outputBytes == 5)
        let silent = ending(Self.result(exitCode: 0, outputBytes: 0), nil).finish(now: now)
        #expect(!silent.outputTruncated)
        let unseen = ending(nil, nil).finish(now: now)
        #expect(unseen.output.isEmpty && !unseen.outputTruncated && unseen.outputBytes == nil)
    }
}
