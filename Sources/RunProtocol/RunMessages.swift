// The messages of a run, in this order: run; busy, unfit or ready; go; ended.

/// Service to runner: take the run lock and check the script. The runner executes nothing before ``Go``.
package struct RunRequest: Sendable, Equatable {
    /// Absolute path of the script.
    package var script: String
    /// Absolute path; nil means the script's folder.
    package var workingDirectory: String?
    /// The script's own lock file. The runner only looks whether it exists.
    package var lockPath: String
    /// The folder of run lock, spool and result.
    package var runDirectory: String
    package var timeoutSeconds: Int64
    /// Time between TERM and KILL.
    package var graceSeconds: Int64
    /// How many bytes of output are kept.
    package var outputLimit: Int64
    /// `NAME=value` entries added to the script's environment.
    package var environment: [String]

    package init(
        script: String, workingDirectory: String?, lockPath: String, runDirectory: String, timeoutSeconds: Int64,
        graceSeconds: Int64, outputLimit: Int64, environment: [String]
    ) {
        self.script = script
        self.workingDirectory = workingDirectory
        self.lockPath = lockPath
        self.runDirectory = runDirectory
        self.timeoutSeconds = timeoutSeconds
        self.graceSeconds = graceSeconds
        self.outputLimit = outputLimit
        self.environment = environment
    }

    package static let kind = "run"

    package var message: Message {
        var message = Message(Self.kind)
        message.add("script", script)
        if let workingDirectory { message.add("working_directory", workingDirectory) }
        message.add("lock_path", lockPath)
        message.add("run_directory", runDirectory)
        message.add("timeout_seconds", timeoutSeconds)
        message.add("grace_seconds", graceSeconds)
        message.add("output_limit", outputLimit)
        for entry in environment { message.add("environment", entry) }
        return message
    }

    package init(_ message: Message) throws(MessageError) {
        script = try message.requiredText("script")
        workingDirectory = message.text("working_directory")
        lockPath = try message.requiredText("lock_path")
        runDirectory = try message.requiredText("run_directory")
        timeoutSeconds = try message.requiredInteger("timeout_seconds")
        graceSeconds = try message.requiredInteger("grace_seconds")
        outputLimit = try message.requiredInteger("output_limit")
        environment = message.texts("environment")
        // Within these bounds no sum in the runner can overflow.
        guard (1...Self.maximumSeconds).contains(timeoutSeconds), (0...Self.maximumSeconds).contains(graceSeconds),
            (2...Self.maximumOutput).contains(outputLimit)
        else { throw .malformed("a limit out of range") }
    }

    /// A year, in seconds.
    package static let maximumSeconds: Int64 = 31_536_000
    /// 256 MiB, because an output is one row in the history.
    package static let maximumOutput: Int64 = 268_435_456
}

/// Service to runner: start the script. The run is on the disk under this number.
package struct Go: Sendable, Equatable {
    package let run: Int64

    package init(run: Int64) { self.run = run }

    package var message: Message {
        var message = Message("go")
        message.add("run", run)
        return message
    }

    package init(_ message: Message) throws(MessageError) {
        guard message.kind == "go" else { throw .unexpected(kind: message.kind) }
        run = try message.requiredInteger("run")
        guard run > 0 else { throw .malformed("run \(run)") }
    }
}
