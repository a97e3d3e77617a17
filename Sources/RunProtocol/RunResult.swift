import Linux

/// Why the runner ended a script that did not end by itself.
package enum StopReason: String, Sendable, CaseIterable {
    case timeout, cancelled, shutdown
}

/// How a run stands or ended, as the history and the API name it.
package enum Outcome: String, Sendable, CaseIterable {
    case running, succeeded, failed
    case alreadyRunning = "already_running"
    case timedOut = "timed_out"
    case cancelled, interrupted
    case startFailed = "start_failed"
}

/// What the runner knows at the end of a run: facts only. It is sent to the service, and stored beside the spool
/// before the run lock is released, so that a service that was away learns it as well.
package struct RunResult: Sendable, Equatable {
    /// Set where the kernel refused to execute the script.
    package var startError: String?
    /// Set where the runner ended it.
    package var stop: StopReason?
    /// The script's own exit code; nil where a signal ended it or it was not collected.
    package var exitCode: Int64?
    package var signal: Int64?
    /// Whether the script's lock file was there just before the start or is there at the end.
    package var lockFileSeen: Bool
    /// Whether the file at the script's path at the end is another than the one that was checked and started.
    package var scriptChanged: Bool
    /// All that the script wrote, kept or not.
    package var outputBytes: Int64
    /// Hex, of all that the script wrote.
    package var outputSHA256: String
    /// Set where not even the part to be kept could be stored.
    package var spoolError: String?
    /// Milliseconds since 1970 UTC.
    package var finishedAt: Int64
    /// By the monotonic clock.
    package var durationMilliseconds: Int64

    package init(
        startError: String? = nil, stop: StopReason? = nil, exitCode: Int64? = nil, signal: Int64? = nil,
        lockFileSeen: Bool, scriptChanged: Bool, outputBytes: Int64, outputSHA256: String, spoolError: String? = nil,
        finishedAt: Int64, durationMilliseconds: Int64
    ) {
        self.startError = startError
        self.stop = stop
        self.exitCode = exitCode
        self.signal = signal
        self.lockFileSeen = lockFileSeen
        self.scriptChanged = scriptChanged
        self.outputBytes = outputBytes
        self.outputSHA256 = outputSHA256
        self.spoolError = spoolError
        self.finishedAt = finishedAt
        self.durationMilliseconds = durationMilliseconds
    }

    /// What these facts are called. Exit code 2 counts as `already_running` only with the lock file as witness:
    /// database clients exit with 2 as well when they cannot connect.
    package var outcome: Outcome {
        if startError != nil { return .startFailed }
        switch stop {
        case .timeout: return .timedOut
        case .cancelled: return .cancelled
        case .shutdown: return .interrupted
        case nil: break
        }
        switch exitCode {
        case 0: return .succeeded
        case 2 where lockFileSeen: return .alreadyRunning
        default: return .failed
        }
    }

    package var message: Message {
        var message = Message("ended")
        if let startError { message.add("start_error", startError) }
        if let stop { message.add("stop", stop.rawValue) }
        if let exitCode { message.add("exit_code", exitCode) }
        if let signal { message.add("signal", signal) }
        message.add("lock_file_seen", lockFileSeen)
        message.add("script_changed", scriptChanged)
        message.add("output_bytes", outputBytes)
        message.add("output_sha256", outputSHA256)
        if let spoolError { message.add("spool_error", spoolError) }
        message.add("finished_at", finishedAt)
        message.add("duration_ms", durationMilliseconds)
        return message
    }

    package init(_ message: Message) throws(MessageError) {
        guard message.kind == "ended" else { throw .unexpected(kind: message.kind) }
        startError = message.text("start_error")
        stop = message.text("stop").flatMap(StopReason.init)
        exitCode = message.integer("exit_code")
        signal = message.integer("signal")
        lockFileSeen = try message.requiredFlag("lock_file_seen")
        scriptChanged = try message.requiredFlag("script_changed")
        outputBytes = try message.requiredInteger("output_bytes")
        outputSHA256 = try message.requiredText("output_sha256")
        spoolError = message.text("spool_error")
        finishedAt = try message.requiredInteger("finished_at")
        durationMilliseconds = try message.requiredInteger("duration_ms")
        guard outputBytes >= 0, durationMilliseconds >= 0, outputSHA256.utf8.count == 64,
            // What comes from the run directory ends up in a date.
            WallTime.range.contains(finishedAt)
        else { throw .malformed("a number out of range") }
    }
}
