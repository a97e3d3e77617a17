import Diagnostics
import RunProtocol
import Runs

extension ScriptSettings {
    init(_ source: SettingsSource) throws(SettingsError) {
        let respondAfter = try source.integer("SYNC_RESPOND_AFTER_SECONDS", default: 0, in: 0...RunRequest.maximumSeconds)
        self.init(
            path: try source.absolutePath("SYNC_SCRIPT_PATH"), workingDirectory: try source.absolutePath("SYNC_WORKING_DIR"),
            lockPath: try source.absolutePath("SYNC_LOCK_PATH") ?? ScriptPaths.lock,
            logPath: try source.absolutePath("SYNC_LOG_PATH") ?? ScriptPaths.log,
            logDirectory: try source.absolutePath("SYNC_LOG_DIR"),
            timeoutSeconds: try source.integer("SYNC_TIMEOUT_SECONDS", default: 21600, in: 1...RunRequest.maximumSeconds),
            graceSeconds: try source.integer("SYNC_STOP_GRACE_SECONDS", default: 10, in: 0...3600),
            outputLimit: try source.integer("SYNC_OUTPUT_LIMIT_BYTES", default: Self.defaultOutputLimit, in: 2...RunRequest.maximumOutput),
            respondAfter: respondAfter > 0 ? .seconds(respondAfter) : nil, environment: try Self.environment(source))
    }

    private static func environment(_ source: SettingsSource) throws(SettingsError) -> [String] {
        var entries: [String] = []
        for name in source.list("SYNC_ENV_PASS") {
            guard !name.hasPrefix("JWT_"), !name.contains("=") else {
                throw source.error("SYNC_ENV_PASS", "lists \(name), which the script must never see", fix: "remove that name")
            }
            if let value = source.text(name) { entries.append("\(name)=\(value)") }
        }
        return entries
    }
}
