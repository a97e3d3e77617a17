import JSON
import RunProtocol

/// What is recorded when a run is over.
package struct RunFinish: Sendable {
    /// Milliseconds since 1970 UTC.
    package var finishedAt: Int64
    /// false: the run ended at this time or before.
    package var finishedAtExact: Bool
    package var durationMilliseconds: Int64?
    package var outcome: Outcome
    /// The *why* of the documented error answer; nil where all went well.
    package var why: String?
    package var exitCode: Int64?
    package var signal: Int64?
    /// All that the script wrote; nil where nobody knows.
    package var outputBytes: Int64?
    package var outputTruncated: Bool
    package var outputSHA256: String?
    package var scriptChanged: Bool?
    package var lockFileSeen: Bool?
    /// The kept part.
    package var output: [UInt8]

    package init(
        finishedAt: Int64, finishedAtExact: Bool, durationMilliseconds: Int64? = nil, outcome: Outcome, why: String? = nil,
        exitCode: Int64? = nil, signal: Int64? = nil, outputBytes: Int64? = nil, outputTruncated: Bool,
        outputSHA256: String? = nil, scriptChanged: Bool? = nil, lockFileSeen: Bool? = nil, output: [UInt8]
    ) {
        self.finishedAt = finishedAt
        self.finishedAtExact = finishedAtExact
        self.durationMilliseconds = durationMilliseconds
        self.outcome = outcome
        self.why = why
        self.exitCode = exitCode
        self.signal = signal
        self.outputBytes = outputBytes
        self.outputTruncated = outputTruncated
        self.outputSHA256 = outputSHA256
        self.scriptChanged = scriptChanged
        self.lockFileSeen = lockFileSeen
        self.output = output
    }

    /// The facts under the names they have in the table, the audit log and the API; the output is none of them.
    package var members: [JSONValue.Member] {
        [
            .init("finished_at", .string(Timestamp.text(finishedAt))), .init("finished_at_exact", .bool(finishedAtExact)),
            .init("duration_ms", .optional(durationMilliseconds)), .init("outcome", .string(outcome.rawValue)),
            .init("why", .optional(why)), .init("exit_code", .optional(exitCode)), .init("signal", .optional(signal)),
            .init("output_bytes", .optional(outputBytes)), .init("output_truncated", .bool(outputTruncated)),
            .init("output_sha256", .optional(outputSHA256)), .init("script_changed", .optional(scriptChanged)),
            .init("lock_file_seen", .optional(lockFileSeen)),
        ]
    }
}
