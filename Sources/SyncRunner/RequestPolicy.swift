import Glibc
import Linux
import RunProtocol

/// What a service of another user may ask for: only the paths and variables of the runner's own settings. An attacker who
/// breaks into the service can start the sync with it, and nothing else.
struct RequestPolicy {
    /// The settings that are read here. They mean the same as in the service.
    static let settings = [
        "SYNC_RUNNER_CLIENT", "SYNC_RUN_DIR", "SYNC_SCRIPT_PATH", "SYNC_WORKING_DIR", "SYNC_LOCK_PATH", "SYNC_LOG_PATH", "SYNC_LOG_DIR",
        "SYNC_ENV_PASS",
    ]
    /// The fields of messages that hold a path, and the settings that they must match.
    private static let fields = [
        "run_directory": "SYNC_RUN_DIR", "script": "SYNC_SCRIPT_PATH", "working_directory": "SYNC_WORKING_DIR",
        "lock_path": "SYNC_LOCK_PATH", "log_path": "SYNC_LOG_PATH", "log_directory": "SYNC_LOG_DIR",
    ]

    /// The user whose service is served.
    let client: UInt32
    private let values: [String: String]
    private let environmentNames: [String]

    /// - Parameter setting: looks up a setting by its name. An empty value counts as not set.
    /// - Throws: if SYNC_RUNNER_CLIENT is no user.
    init(_ setting: (String) -> String?) throws(SetupError) {
        func value(_ name: String) -> String? { setting(name).flatMap { $0.isEmpty ? nil : $0 } }
        let name = value("SYNC_RUNNER_CLIENT") ?? "sync-service"
        guard let user = UInt32(name) ?? getpwnam(name)?.pointee.pw_uid else {
            throw SetupError("SYNC_RUNNER_CLIENT: there is no user \(name); name the user that sync-service runs as")
        }
        client = user
        var values = ["SYNC_LOCK_PATH": ScriptPaths.lock, "SYNC_LOG_PATH": ScriptPaths.log]
        for setting in Self.fields.values { values[setting] = value(setting) ?? values[setting] }
        self.values = values
        environmentNames = value("SYNC_ENV_PASS")?.split(separator: ",").map { String($0.filter { $0 != " " }) } ?? []
    }

    /// The policy that the environment of this process describes.
    static func fromEnvironment() throws(SetupError) -> RequestPolicy {
        try RequestPolicy { name in getenv(name).map { String(cString: $0) } }
    }

    /// - Returns: why a message is refused; nil if it is allowed.
    func objection(to message: Message) -> String? {
        let remedy = "set the same for both, then restart sync-runner.service"
        if message.kind == RunRequest.kind, let own = values["SYNC_WORKING_DIR"], message.bytes("working_directory") == nil {
            return "the service asks for no SYNC_WORKING_DIR, and the runner's own is \(own); \(remedy)"
        }
        for field in message.fields {
            let text = String(decoding: field.value, as: UTF8.self)
            if let setting = Self.fields[field.name], values[setting].map(Self.parts) != Self.parts(text) {
                return "the service asks for \(setting) \(text), and the runner's own is \(values[setting] ?? "not set"); \(remedy)"
            }
            if field.name == "environment", !environmentNames.contains(where: { text.hasPrefix($0 + "=") }) {
                return "the service passes \(text.prefix { $0 != "=" }) to the script, and the runner's own SYNC_ENV_PASS does not list it; \(remedy)"
            }
            if field.name == "path", !isKnown(Self.parts(text)) { return "the service asks for \(text), which no setting of the runner names" }
        }
        return nil
    }

    /// Whether it is one of the paths in the settings, or the folder of one.
    private func isKnown(_ path: [String]) -> Bool {
        values.values.map(Self.parts).contains { $0 == path || $0.dropLast() == path[...] }
    }

    /// The parts of a path, the same for all its spellings: `/a//./b` is `/a/b`.
    private static func parts(_ path: String) -> [String] { path.split(separator: "/").map(String.init).filter { $0 != "." } }
}
