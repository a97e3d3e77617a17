import History

/// What a request to run comes to.
package enum RunAnswer: Sendable {
    /// Another run goes on. Nothing is recorded.
    case busy
    /// Nothing was executed.
    case notStarted(reason: String)
    /// Nothing was executed, because the service is about to stop.
    case leaving
    /// The run has begun and goes on; the client asked not to wait for its end.
    case accepted(run: Int64)
    /// The run goes on while the service stops. The next start records its end.
    case left(run: Int64)
    /// The script ran, or its start failed, and that is recorded.
    case finished(run: Int64, RunFinish)
    /// The script ran, but its end is not recorded yet.
    case notRecorded(run: Int64, reason: String)
}
