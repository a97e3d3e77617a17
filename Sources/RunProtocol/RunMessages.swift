// The messages of a run, in their order: run → busy, unfit or ready → go → ended.

import Linux

/// Service to runner: take the lease and check the script. Nothing is executed before ``Go``.
public struct RunRequest: Sendable, Equatable {
    /// Absolute path of the script.
    public var script: String
    /// Absolute path; nil means the script's folder.
    public var workingDirectory: String?
    /// The script's own lock file, which is only looked at.
    public var lockPath: String
    /// Where lease, spool and result are kept.
    public var runDirectory: String
    public var timeoutSeconds: Int64
    /// How long after TERM the KILL follows.
    public var graceSeconds: Int64
    /// How much output is kept.
    public var outputLimit: Int64
    /// `NAME=value` entries added to the script's environment.
    public var environment: [String]

    public init(
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

    public static let kind = "run"

    public var message: Message {
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

    public init(_ message: Message) throws(MessageError) {
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
    public static let maximumSeconds: Int64 = 31_536_000
    /// 256 MiB: an output is one row in the history.
    public static let maximumOutput: Int64 = 268_435_456
}

/// Who holds the lease, as its holder wrote it into the lease file: a description, never a ground for a decision.
public struct LeaseHolder: Sendable, Equatable {
    /// The run's number, nil before it has one.
    public var run: Int64?
    /// The supervisor's process number.
    public var pid: Int64
    /// Milliseconds since 1970 UTC, within ``WallTime/range``.
    public let since: Int64

    public init(run: Int64?, pid: Int64, since: Int64) {
        self.run = run
        self.pid = pid
        self.since = WallTime.clamped(milliseconds: since)
    }

    public var message: Message {
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
    public init?(_ message: Message) {
        guard let pid = message.integer("holder_pid"), let since = message.integer("holder_since") else { return nil }
        self.init(run: message.integer("holder_run"), pid: pid, since: since)
    }
}

/// Why a script is not started: the *why* of the documented answer.
public enum Unfitness: String, Sendable, CaseIterable {
    case notFound = "not found"
    case permissionDenied = "permission denied"
    case notARegularFile = "not a regular file"
    case unsafePermissions = "unsafe permissions"
    case cannotBeExecuted = "cannot be executed"
}

/// Runner to service: what came of a ``RunRequest``.
public enum RunReply: Sendable, Equatable {
    /// Somebody else holds the lease.
    case busy(LeaseHolder?)
    /// The lease is held by this runner until the connection closes, but the script must not be started.
    /// `detail` is for the operator: what exactly is wrong and how to mend it.
    case unfit(Unfitness, detail: String, scriptUID: Int64)
    /// The lease is held and the script may be started.
    case ready(scriptSHA256: String, scriptUID: Int64)
    /// The runner could not get as far as checking; nothing was started.
    case failed(String)
    /// The runner's own settings, or its release, do not permit what was asked for; nothing was started.
    case refused(String)

    public var message: Message {
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

    public init(_ message: Message) throws(MessageError) {
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
public struct Go: Sendable, Equatable {
    public let run: Int64

    public init(run: Int64) { self.run = run }

    public var message: Message {
        var message = Message("go")
        message.add("run", run)
        return message
    }

    public init(_ message: Message) throws(MessageError) {
        guard message.kind == "go" else { throw .unexpected(kind: message.kind) }
        run = try message.requiredInteger("run")
        guard run > 0 else { throw .malformed("run \(run)") }
    }
}
