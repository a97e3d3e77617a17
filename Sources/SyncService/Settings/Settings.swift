import Diagnostics
import Glibc
import History
import HTTPServer
import JWT
import Linux
import Logging
import OpenSSL
import Runs

/// All settings, checked and typed; see config/env.example for what each means.
struct Settings: Sendable {
    let listener: ListenerSettings
    /// nil where no secret is set: commands that need none still work.
    let tokens: Rules?
    let access: AccessRules
    let script: ScriptSettings
    let audit: AuditSettings
    /// The service's own folder, closed to all others.
    let stateDirectory: String
    /// The runner's folder: run lock, spool, results.
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

    var runs: RunSettings {
        RunSettings(
            script: script, stateDirectory: stateDirectory, runDirectory: runDirectory, runnerSocket: runnerSocket, secretFiles: secretFiles)
    }

    /// Opens the history, creating it where there is none.
    func openHistory() throws(HistoryError) -> HistoryStore {
        try HistoryStore(
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

        listener = try ListenerSettings(source)
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
        secretFiles = files.map(\.path) + [source.text("JWT_SECRET_FILE"), source.text("JWT_PREVIOUS_SECRET_FILE"), listener.tls?.key, audit.keyFile].compactMap { $0 }
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
