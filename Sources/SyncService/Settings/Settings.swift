import Diagnostics
import Glibc
import HTTPServer
import History
import JWT
import Linux
import Logging
import OpenSSL
import Runs

/// All settings, checked and typed; see config/env.example for what each means.
package struct Settings: Sendable {
    let listener: ListenerSettings
    /// nil where no secret is set; many commands need none.
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
    /// Settings files and secret files, which GET /sync/log must never show.
    let secretFiles: [String]
    /// For the comparison with a later reading.
    let values: SettingsValues
    /// Problems that stop nothing.
    let warnings: [String]

    var historyPath: String { stateDirectory + "/history.sqlite" }

    var runs: RunSettings {
        RunSettings(
            script: script, stateDirectory: stateDirectory, runDirectory: runDirectory, runnerSocket: runnerSocket, secretFiles: secretFiles)
    }

    /// Opens the history to write, and creates it where there is none. Blocks.
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

    /// Reads the environment, the settings files and the secrets. Blocks.
    /// - Parameter environmentFile: the file to read; nil reads `.env` in the working directory, or those of
    ///   ``installedFiles`` that exist.
    /// - Throws: ``SettingsError``, which names the setting, where it is set and how to fix it.
    package static func load(
        environment: [String: String] = processEnvironment(), environmentFile: String?
    ) throws(SettingsError) -> Settings {
        var files: [EnvironmentFile] = []
        for path in environmentFile.map({ [$0] }) ?? defaultFiles() { files.append(try EnvironmentFile.read(path)) }
        let source = try SettingsSource(environment: environment, files: files)
        return try Settings(source, secrets: try SecretSettings.load(source))
    }

    init(_ source: SettingsSource, secrets: SecretSettings?) throws(SettingsError) {
        listener = try ListenerSettings(source)
        tokens = try secrets.map { secrets throws(SettingsError) in try Rules(source, secrets) }
        access = try AccessRules(source)
        script = try ScriptSettings(source)
        let directory = try source.value(\.stateDirectory) ?? source.environment["STATE_DIRECTORY"] ?? "/var/lib/sync-service"
        stateDirectory = directory
        audit = try AuditSettings(source, stateDirectory: directory)
        runDirectory = try source.value(\.runDirectory) ?? directory + "/run"
        runnerSocket = try source.value(\.runnerSocket)
        logLevel = try source.value(\.logLevel)
        secretFiles = Array(Set(source.files.map(\.path) + source.secretFiles + [audit.keyFile])).sorted()

        var values = SettingsValues(source)
        values.include((secrets?.current).map { SHA256.hash($0) }, in: \.secretFile)
        values.include((secrets?.previous).map { SHA256.hash($0) }, in: \.previousSecretFile)
        self.values = values

        var warnings = source.unknownInEnvironment.map { "\($0) in the environment is not a setting of this program; check its spelling" }
        if source.isSet(\.secret) {
            warnings.append("JWT_SECRET is set by value; JWT_SECRET_FILE keeps it out of the environment")
        }
        self.warnings = warnings
    }

    private static func defaultFiles() -> [String] {
        // A failing disk may hide the file. Without it the service would run with other settings, so it must fail.
        let here: Bool
        do throws(SystemError) {
            _ = try Files.facts("./.env", followLink: false)
            here = true
        } catch {
            here = error.mayPass
        }
        if here { return ["./.env"] }
        // A file that we cannot look at counts as there: an error is better than a start with defaults.
        return installedFiles.filter { path in
            do throws(SystemError) { return try Files.facts(path, followLink: false).kind == .regular } catch { return !error.isNoSuchFile }
        }
    }

    /// The environment of this process.
    package static func processEnvironment() -> [String: String] {
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
