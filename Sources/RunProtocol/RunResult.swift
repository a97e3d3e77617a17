import Linux

/// Why the runner ended a script that did not end by itself.
package enum StopReason: String, Sendable, CaseIterable {
    case timeout, cancelled, shutdown
}

/// What the runner knows at the end of a run. The runner stores it beside the spool before it releases the run lock, so
/// that a service that was not there reads it later, and then sends it to the service.
package struct RunResult: Sendable, Equatable {
    /// The error if the kernel refused to execute the script.
    package var startError: String?
    /// The reason if the runner ended the script.
    package var stop: StopReason?
    /// The script's own exit code; nil if a signal ended the script or its exit status was not collected.
    package var exitCode: Int64?
    package var signal: Int64?
    /// Whether the script's lock file existed just before the start or exists at the end.
    package var lockFileSeen: Bool
    /// Whether the file at the script's path at the end is another one than the file that was checked and started.
    package var scriptChanged: Bool
    /// The length of all that the script wrote, kept or not.
    package var outputBytes: Int64
    /// SHA-256 in hexadecimal of all that the script wrote.
    package var outputSHA256: String
    /// The error if even the part to keep could not be stored.
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

    /// The outcome that follows from these facts. Exit code 2 counts as `already_running` only if the lock file was seen:
    /// database clients also exit with 2 when they cannot connect.
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

    /// For the service, and for the file beside the spool.
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

    /// Decodes what ``message`` encodes. Refuses what is malformed or out of range: the script may have written it.
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
            // The time becomes a date in the history.
            WallTime.range.contains(finishedAt)
        else { throw .malformed("a number out of range") }
    }
}
