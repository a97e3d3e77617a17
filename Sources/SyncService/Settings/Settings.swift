import Glibc
import JWT
import Linux
import Logging
import OpenSSL
import RunProtocol

/// All settings, checked and typed; see config/env.example for what each means.
struct Settings: Sendable {
    let door: DoorSettings
    /// nil where no secret is set: commands that need none still work.
    let tokens: Rules?
    let access: AccessRules
    let script: ScriptSettings
    let audit: AuditSettings
    /// The service's own folder, closed to all others.
    let stateDirectory: String
    /// The runner's folder: lease, spool, results.
    let runDirectory: String
    /// Where the runner of another user listens; nil starts one of our own for each run.
    let runnerSocket: String?
    let logLevel: Logger.Level
    /// Settings and secret files, which the log endpoint never shows.
    let secretFiles: [String]
    /// What each was, to be compared with a later reading.
    let values: SettingsValues
    /// What is worth telling although it stops nothing.
    let warnings: [String]

    var historyPath: String { stateDirectory + "/history.sqlite" }

    /// Opens the history, creating it where there is none.
    func openHistory() throws(HistoryError) -> History {
        try History(
            opening: historyPath, reserve: DiskReserve(in: stateDirectory, outputLimit: script.outputLimit), audit: audit)
    }

    /// The rules for tokens.
    /// - Throws: ``SettingsError`` where no secret is set.
    func requireTokens() throws(SettingsError) -> Rules {
        guard let tokens else {
            throw SettingsError(
                "JWT_SECRET_FILE is not set",
                fix: "write the issuer's secret, at least 32 random bytes, to a file of mode 0600 and name it in JWT_SECRET_FILE")
        }
        return tokens
    }

    /// Where the package keeps the settings: the service's own, and those of the script, which the runner reads as well.
    static let installedFiles = ["/etc/sync-service/service.env", "/etc/sync-service/script.env"]

    /// Reads the environment and the settings file.
    /// - Parameter environmentFile: the file to read; nil reads `.env` in the working directory, or where there is none
    ///   ``installedFiles``, as far as they are there.
    /// - Throws: ``SettingsError``, naming the setting, where it comes from and how to mend it.
    init(environment: [String: String] = Settings.processEnvironment(), environmentFile: String?) throws(SettingsError) {
        var files: [EnvironmentFile] = []
        for path in environmentFile.map({ [$0] }) ?? Self.defaultFiles() { files.append(try EnvironmentFile(reading: path)) }
        let source = try SettingsSource(environment: environment, files: files)

        door = try DoorSettings(source)
        let secrets = try SecretSettings(source)
        tokens = try secrets.map { secrets throws(SettingsError) in try Rules(source, secrets) }
        var values = SettingsValues(source)
        values.include((secrets?.current).map { SHA256.hash($0) }, in: "JWT_SECRET_FILE")
        values.include((secrets?.previous).map { SHA256.hash($0) }, in: "JWT_PREVIOUS_SECRET_FILE")
        self.values = values
        access = AccessRules(source)
        script = try ScriptSettings(source)
        stateDirectory =
            try source.absolutePath("SYNC_STATE_DIR") ?? environment["STATE_DIRECTORY"] ?? "/var/lib/sync-service"
        audit = try AuditSettings(source, stateDirectory: stateDirectory)
        runDirectory = try source.absolutePath("SYNC_RUN_DIR") ?? stateDirectory + "/run"
        runnerSocket = try source.absolutePath("SYNC_RUNNER_SOCKET")
        guard let level = Logger.Level(rawValue: source.text("LOG_LEVEL") ?? "info") else {
            throw source.error(
                "LOG_LEVEL", "is \"\(source.text("LOG_LEVEL") ?? "")\"",
                fix: "set one of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        logLevel = level
        secretFiles = files.map(\.path) + [source.text("JWT_SECRET_FILE"), source.text("JWT_PREVIOUS_SECRET_FILE"), door.tls?.key, audit.keyFile].compactMap { $0 }
        var warnings = source.unknownInEnvironment.map { "\($0) in the environment is no setting of this program; check its spelling" }
        if source.text("JWT_SECRET") != nil {
            warnings.append("JWT_SECRET is set by value; JWT_SECRET_FILE keeps it out of the environment")
        }
        self.warnings = warnings
    }

    private static func defaultFiles() -> [String] {
        // What a failing disk hides may be there: to go on without it would be to go on with other settings.
        let here: Bool
        do throws(SystemError) {
            _ = try Files.facts("./.env", followLink: false)
            here = true
        } catch {
            here = error.mayPass
        }
        if here { return ["./.env"] }
        // One that is hidden from us is there: to be told is better than to go on with defaults.
        return installedFiles.filter { path in
            do throws(SystemError) { return try Files.facts(path, followLink: false).kind == .regular } catch { return !error.isNoSuchFile }
        }
    }

    static func processEnvironment() -> [String: String] {
        var values: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let pair = String(cString: text)
            if let equals = pair.firstIndex(of: "=") {
                values[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
            }
            entry += 1
        }
        return values
    }
}

/// The script and everything of its own.
struct ScriptSettings: Sendable {
    /// nil where SYNC_SCRIPT_PATH is not set, which the documented answer of its own tells.
    let path: String?
    let workingDirectory: String?
    let lockPath: String
    let logPath: String
    let logDirectory: String?
    let timeoutSeconds: Int64
    let graceSeconds: Int64
    let outputLimit: Int64
    /// The largest spool that is believed; a run may have begun before the limit was lowered.
    var largestOutput: Int64 { max(outputLimit, Self.defaultOutputLimit) }
    private static let defaultOutputLimit: Int64 = 1 << 20
    /// Answer a run that still goes after this time; nil waits for its end.
    let respondAfter: Duration?
    /// `NAME=value` entries that SYNC_ENV_PASS hands to the script.
    let environment: [String]

    init(_ source: SettingsSource) throws(SettingsError) {
        path = try source.absolutePath("SYNC_SCRIPT_PATH")
        workingDirectory = try source.absolutePath("SYNC_WORKING_DIR")
        lockPath = try source.absolutePath("SYNC_LOCK_PATH") ?? ScriptPaths.lock
        logPath = try source.absolutePath("SYNC_LOG_PATH") ?? ScriptPaths.log
        logDirectory = try source.absolutePath("SYNC_LOG_DIR")
        timeoutSeconds = try source.integer("SYNC_TIMEOUT_SECONDS", default: 21600, in: 1...RunRequest.maximumSeconds)
        graceSeconds = try source.integer("SYNC_STOP_GRACE_SECONDS", default: 10, in: 0...3600)
        outputLimit = try source.integer("SYNC_OUTPUT_LIMIT_BYTES", default: Self.defaultOutputLimit, in: 2...RunRequest.maximumOutput)
        let seconds = try source.integer("SYNC_RESPOND_AFTER_SECONDS", default: 0, in: 0...RunRequest.maximumSeconds)
        respondAfter = seconds > 0 ? .seconds(seconds) : nil
        var entries: [String] = []
        for name in source.list("SYNC_ENV_PASS") {
            guard !name.hasPrefix("JWT_"), !name.contains("=") else {
                throw source.error("SYNC_ENV_PASS", "lists \(name), which the script must never see", fix: "remove that name")
            }
            if let value = source.text(name) { entries.append("\(name)=\(value)") }
        }
        environment = entries
    }
}
