import RunProtocol

/// What is recorded when a run is over. Its facts have their names and order in ``RunFact``.
package struct RunFinish: Sendable {
    /// Milliseconds since 1970 UTC.
    package var finishedAt: Int64
    /// false: the run ended at this time or before.
    package var finishedAtExact: Bool
    package var durationMilliseconds: Int64?
    package var outcome: Outcome
    /// The *why* of the documented error answer; nil if the run succeeded.
    package var why: String?
    package var exitCode: Int64?
    package var signal: Int64?
    /// The length of all that the script wrote; nil if it is unknown.
    package var outputBytes: Int64?
    /// Whether ``output`` is less than all that the script wrote.
    package var outputTruncated: Bool
    /// In hexadecimal, of all that the script wrote; nil if it is unknown.
    package var outputSHA256: String?
    /// Whether the file at the script's path at the end was another than the one that started; nil if it is unknown.
    package var scriptChanged: Bool?
    /// Whether the script's lock file was seen; nil if it is unknown.
    package var lockFileSeen: Bool?
    /// The part of the output that was kept. It is stored beside the facts.
    package var output: [UInt8]

    /// The other facts are nil and can be set.
    package init(finishedAt: Int64, finishedAtExact: Bool, outcome: Outcome, outputTruncated: Bool, output: [UInt8]) {
        self.finishedAt = finishedAt
        self.finishedAtExact = finishedAtExact
        self.outcome = outcome
        self.outputTruncated = outputTruncated
        self.output = output
    }
}
