// The messages of a run, in their order: run → busy, unfit or ready → go → ended.

import Linux

/// Service to runner: take the run lock and check the script. Nothing is executed before ``Go``.
package struct RunRequest: Sendable, Equatable {
    /// Absolute path of the script.
    package var script: String
    /// Absolute path; nil means the script's folder.
    package var workingDirectory: String?
    /// The script's own lock file, which is only looked at.
    package var lockPath: String
    /// Where run lock, spool and result are kept.
    package var runDirectory: String
    package var timeoutSeconds: Int64
    /// How long after TERM the KILL follows.
    package var graceSeconds: Int64
    /// How much output is kept.
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
        // Bounds that keep the sums in the runner far from overflow, whatever was sent.
        guard (1...Self.maximumSeconds).contains(timeoutSeconds), (0...Self.maximumSeconds).contains(graceSeconds),
            (2...Self.maximumOutput).contains(outputLimit)
        else { throw .malformed("a limit out of range") }
    }

    /// A year, in seconds.
    package static let maximumSeconds: Int64 = 31_536_000
    /// 256 MiB: an output is one row in the history.
    package static let maximumOutput: Int64 = 268_435_456
}

/// Who holds the run lock, as its holder wrote it into the run lock file: a description, never a ground for a decision.
package struct LeaseHolder: Sendable, Equatable {
    /// The run's number, nil before it has one.
    package var run: Int64?
    /// The supervisor's process number.
    package var pid: Int64
    /// Milliseconds since 1970 UTC, within ``WallTime/range``.
    package let since: Int64

    package init(run: Int64?, pid: Int64, since: Int64) {
        self.run = run
        self.pid = pid
        self.since = WallTime.clamped(milliseconds: since)
    }

    package var message: Message {
        var message = Message("holder")
        add(to: &message)
        return message
    }

    func add(to message: inout Message) {
        if let run { message.add("holder_run", run) }
        message.add("holder_pid", pid)
        message.add("holder_since", since)
    }

    /// - Returns: nil where the message names no holder.
    package init?(_ message: Message) {
        guard let pid = message.integer("holder_pid"), let since = message.integer("holder_since") else { return nil }
        self.init(run: message.integer("holder_run"), pid: pid, since: since)
    }
}

/// Why a script is not started: the *why* of the documented answer.
package enum Unfitness: String, Sendable, CaseIterable {
    case notFound = "not found"
    case permissionDenied = "permission denied"
    case notARegularFile = "not a regular file"
    case unsafePermissions = "unsafe permissions"
    case cannotBeExecuted = "cannot be executed"
}

/// Runner to service: what came of a ``RunRequest``.
package enum RunReply: Sendable, Equatable {
    /// Somebody else holds the run lock.
    case busy(LeaseHolder?)
    /// The run lock is held by this runner until the connection closes, but the script must not be started.
    /// `detail` is for the operator: what exactly is wrong and how to mend it.
    case unfit(Unfitness, detail: String, scriptUID: Int64)
    /// The run lock is held and the script may be started.
    case ready(scriptSHA256: String, scriptUID: Int64)
    /// The runner could not get as far as checking; nothing was started.
    case failed(String)
    /// The runner's own settings, or its release, do not permit what was asked for; nothing was started.
    case refused(String)

    package var message: Message {
        switch self {
        case .busy(let holder):
            var message = Message("busy")
            holder?.add(to: &message)
            return message
        case .unfit(let why, let detail, let uid):
            var message = Message("unfit")
            message.add("why", why.rawValue)
            message.add("detail", detail)
            message.add("script_uid", uid)
            return message
        case .ready(let digest, let uid):
            var message = Message("ready")
            message.add("script_sha256", digest)
            message.add("script_uid", uid)
            return message
        case .failed(let reason):
            var message = Message("failed")
            message.add("reason", reason)
            return message
        case .refused(let reason):
            var message = Message("refused")
            message.add("reason", reason)
            return message
        }
    }

    package init(_ message: Message) throws(MessageError) {
        switch message.kind {
        case "busy": self = .busy(LeaseHolder(message))
        case "unfit":
            guard let why = Unfitness(rawValue: try message.requiredText("why")) else { throw .malformed("why") }
            self = .unfit(
                why, detail: try message.requiredText("detail"), scriptUID: try message.requiredInteger("script_uid"))
        case "ready":
            self = .ready(
                scriptSHA256: try message.requiredText("script_sha256"),
                scriptUID: try message.requiredInteger("script_uid"))
        case "failed": self = .failed(try message.requiredText("reason"))
        case "refused": self = .refused(try message.requiredText("reason"))
        default: throw .unexpected(kind: message.kind)
        }
    }
}

/// Service to runner: the run is durably recorded under this number; start the script.
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
