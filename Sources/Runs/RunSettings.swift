/// What runs need to know of the settings.
package struct RunSettings: Sendable {
    package let script: ScriptSettings
    /// The service's own folder, closed to all others.
    package let stateDirectory: String
    /// The runner's folder: run lock, spool, results.
    package let runDirectory: String
    /// Where the runner of another user listens; nil starts one of our own for each run.
    package let runnerSocket: String?
    /// Settings and secret files, which the log endpoint never shows.
    package let secretFiles: [String]

    package init(
        script: ScriptSettings, stateDirectory: String, runDirectory: String, runnerSocket: String?, secretFiles: [String]
    ) {
        self.script = script
        self.stateDirectory = stateDirectory
        self.runDirectory = runDirectory
        self.runnerSocket = runnerSocket
        self.secretFiles = secretFiles
    }
}

/// The script and everything of its own.
package struct ScriptSettings: Sendable {
    package static let defaultOutputLimit: Int64 = 1 << 20

    /// nil where SYNC_SCRIPT_PATH is not set, for which there is a documented answer.
    package let path: String?
    package let workingDirectory: String?
    package let lockPath: String
    package let logPath: String
    package let logDirectory: String?
    package let timeoutSeconds: Int64
    package let graceSeconds: Int64
    package let outputLimit: Int64
    /// Answer a run that still goes after this time; nil waits for its end.
    package let respondAfter: Duration?
    /// `NAME=value` entries that SYNC_ENV_PASS hands to the script.
    package let environment: [String]

    /// The largest spool that is believed; a run may have begun before the limit was lowered.
    package var largestOutput: Int64 { max(outputLimit, Self.defaultOutputLimit) }

    package init(
        path: String?, workingDirectory: String?, lockPath: String, logPath: String, logDirectory: String?, timeoutSeconds: Int64,
        graceSeconds: Int64, outputLimit: Int64, respondAfter: Duration?, environment: [String]
    ) {
        self.path = path
        self.workingDirectory = workingDirectory
        self.lockPath = lockPath
        self.logPath = logPath
        self.logDirectory = logDirectory
        self.timeoutSeconds = timeoutSeconds
        self.graceSeconds = graceSeconds
        self.outputLimit = outputLimit
        self.respondAfter = respondAfter
        self.environment = environment
    }
}
