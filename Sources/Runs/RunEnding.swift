import History
import RunProtocol

/// All that is known when a run is over, and what the record makes of it. Pure.
struct RunEnding: Sendable {
    /// What the supervisor stored; nil where it died before it could.
    var result: RunResult?
    /// The kept part of the output; nil where it cannot be read.
    var output: OutputSpool.Content?
    /// Whether this service had the run ended without its supervisor, because an administrator wanted that.
    var wasForced = false
    /// Whether an administrator was told that the run is being ended.
    var wasPromised = false
    /// The time limit that applied.
    var timeoutSeconds: Int64

    /// What is recorded.
    /// - Parameter now: milliseconds since 1970 UTC, for a run whose end nobody saw.
    func finish(now: Int64) -> RunFinish {
        guard let result else { return unseenFinish(now) }
        let outcome = wasForced ? Outcome.cancelled : result.outcome
        var finish = RunFinish(
            finishedAt: result.finishedAt, finishedAtExact: true, outcome: outcome,
            outputTruncated: (output?.total ?? 0) != result.outputBytes || output?.truncated ?? false, output: output?.bytes ?? [])
        finish.durationMilliseconds = result.durationMilliseconds
        finish.why = why(outcome, result)
        finish.exitCode = result.exitCode
        finish.signal = result.signal
        finish.outputBytes = result.outputBytes
        finish.outputSHA256 = result.outputSHA256
        finish.scriptChanged = result.scriptChanged
        finish.lockFileSeen = result.lockFileSeen
        return finish
    }

    /// The supervisor died before it could say why. What was promised has been done, by it or in its place.
    private func unseenFinish(_ now: Int64) -> RunFinish {
        let outcome = wasForced || wasPromised ? Outcome.cancelled : .interrupted
        var finish = RunFinish(
            finishedAt: now, finishedAtExact: false, outcome: outcome, outputTruncated: output?.truncated ?? false,
            output: output?.bytes ?? [])
        finish.why = why(outcome, nil)
        finish.outputBytes = output?.total
        return finish
    }

    /// The *why* of the documented answer.
    private func why(_ outcome: Outcome, _ result: RunResult?) -> String? {
        switch outcome {
        case .succeeded, .running: nil
        case .startFailed: Unfitness.cannotBeExecuted.rawValue
        case .timedOut: "timed out after \(timeoutSeconds) seconds"
        case .cancelled: "cancelled by an administrator"
        case .interrupted: "interrupted"
        case .failed, .alreadyRunning:
            if let code = result?.exitCode { "exited with code \(code)" } else { "killed by signal \(result?.signal ?? 0)" }
        }
    }
}
