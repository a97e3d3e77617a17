import Diagnostics
import Glibc
import Linux

/// Where settings come from: the environment, over a file. Values leave here typed or not at all.
struct SettingsSource {
    /// Every setting there is. A name in the file that looks like one of ours and is none is a mistake worth a stop.
    static let known: Set<String> = [
        "HOST", "PORT", "ALLOWED_HOSTS", "TRUSTED_PROXIES", "ALLOW_PLAINTEXT", "TLS_CERT_FILE", "TLS_KEY_FILE",
        "TLS_HSTS_SECONDS", "CORS_ALLOW_ORIGINS", "JWT_SECRET_FILE", "JWT_SECRET", "JWT_PREVIOUS_SECRET_FILE", "JWT_ALGORITHM", "JWT_ISSUER",
        "JWT_AUDIENCE", "JWT_LEEWAY_SECONDS", "JWT_MAX_LIFETIME_SECONDS", "JWT_NOT_BEFORE", "JWT_USER_CLAIM",
        "JWT_NAME_CLAIM", "JWT_ROLE_CLAIM", "JWT_ADMIN_ROLE", "ADMIN_USERS", "RUN_USERS", "JWT_RUN_ROLE", "DENY_USERS",
        "SYNC_SCRIPT_PATH", "SYNC_LOCK_PATH", "SYNC_LOG_PATH", "SYNC_LOG_DIR", "SYNC_STATE_DIR", "SYNC_RUN_DIR",
        "SYNC_TIMEOUT_SECONDS", "SYNC_STOP_GRACE_SECONDS", "SYNC_OUTPUT_LIMIT_BYTES", "SYNC_RESPOND_AFTER_SECONDS",
        "SYNC_ENV_PASS", "SYNC_RUNNER_SOCKET", "SYNC_RUNNER_CLIENT",
        "SYNC_WORKING_DIR", "LOG_LEVEL", "AUDIT_ORIGIN", "AUDIT_KEY_FILE", "AUDIT_VKEY", "AUDIT_CHECKPOINT_FILE",
    ]
    private static let ourPrefixes = ["SYNC_", "JWT_", "TLS_", "AUDIT_", "CORS_"]

    private let environment: [String: String]
    private let files: [EnvironmentFile]

    /// - Throws: where a file has an unknown name of ours, or two files have the same name.
    init(environment: [String: String], files: [EnvironmentFile]) throws(SettingsError) {
        self.environment = environment
        self.files = files
        let passed = list("SYNC_ENV_PASS")
        for file in files {
            for entry in file.entries where isUnknown(entry.name, passed: passed) {
                throw SettingsError(
                    "\(file.path) line \(entry.line): unknown setting \(entry.name)\(Self.suggestion(entry.name))",
                    fix: "correct or remove the line; a name meant for the script belongs in SYNC_ENV_PASS")
            }
            for entry in file.entries {
                guard let (first, _) = find(entry.name), first.path != file.path else { continue }
                throw SettingsError(
                    "\(entry.name) is set in \(first.path) and in \(file.path) line \(entry.line)", fix: "remove one of the two")
            }
        }
    }

    private func find(_ name: String) -> (EnvironmentFile, EnvironmentFile.Entry)? {
        for file in files {
            if let entry = file.entries.first(where: { $0.name == name }) { return (file, entry) }
        }
        return nil
    }

    /// Names in the environment that look like settings and are none: worth a warning, because somebody else may have
    /// put them there.
    var unknownInEnvironment: [String] {
        let passed = list("SYNC_ENV_PASS")
        return environment.keys.filter { isUnknown($0, passed: passed) }.sorted()
    }

    private func isUnknown(_ name: String, passed: [String]) -> Bool {
        // SYNC_RUN_ID is what a script started by us has in its environment.
        !Self.known.contains(name) && !passed.contains(name) && name != "SYNC_RUN_ID"
            && Self.ourPrefixes.contains { name.hasPrefix($0) }
    }

    private static func suggestion(_ name: String) -> String {
        // Sorted, so that one mistake always gets one answer.
        let near = known.sorted().filter { $0.commonPrefixCount(with: name) >= 8 }.max { $0.likeness(to: name) < $1.likeness(to: name) }
        return near.map { " (did you mean \($0)?)" } ?? ""
    }

    /// The text of a setting; nil where it is not set or empty.
    func text(_ name: String) -> String? {
        let value = environment[name] ?? find(name)?.1.value
        return value?.isEmpty == true ? nil : value
    }

    /// Where a setting's value comes from, for messages.
    func origin(_ name: String) -> String {
        if environment[name] != nil { return "in the environment" }
        guard let (file, entry) = find(name) else { return "not set" }
        return "\(file.path) line \(entry.line)"
    }

    /// - Parameter cause: the system call that failed, where one did.
    func error(_ name: String, _ problem: String, fix: String, cause: SystemError? = nil) -> SettingsError {
        SettingsError("\(name) (\(origin(name))) \(problem)", fix: fix, cause: cause)
    }

    func list(_ name: String) -> [String] {
        text(name)?.split(separator: ",").map { String($0).trimmed() }.filter { !$0.isEmpty } ?? []
    }

    func integer(_ name: String, default fallback: Int64, in range: ClosedRange<Int64>) throws(SettingsError) -> Int64 {
        guard let text = text(name) else { return fallback }
        guard let number = Int64(text), range.contains(number) else {
            throw error(
                name, "is \"\(text)\", not a whole number from \(range.lowerBound) to \(range.upperBound)",
                fix: "set a number in that range, or remove the line for the default of \(fallback)")
        }
        return number
    }

    func flag(_ name: String) throws(SettingsError) -> Bool {
        switch text(name) {
        case nil, "false"?: return false
        case "true"?: return true
        case let text?: throw error(name, "is \"\(text)\"", fix: "set true or false")
        }
    }

    func absolutePath(_ name: String) throws(SettingsError) -> String? {
        guard let path = text(name) else { return nil }
        guard path.hasPrefix("/"), path.utf8.count < 4096, !path.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
            throw error(name, "is \"\(path)\", not an absolute path", fix: "write the path from / on")
        }
        // One spelling for each path, so that comparisons of folders hold.
        let parts = path.split(separator: "/").filter { $0 != "." }
        guard !parts.contains("..") else { throw error(name, "is \"\(path)\", with .. in it", fix: "write the path without ..") }
        return "/" + parts.joined(separator: "/")
    }

    func choice<Value: RawRepresentable & CaseIterable>(_ name: String, default fallback: Value) throws(SettingsError) -> Value
    where Value.RawValue == String {
        guard let text = text(name) else { return fallback }
        guard let value = Value(rawValue: text) else {
            let all = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw error(name, "is \"\(text)\"", fix: "set one of \(all)")
        }
        return value
    }
}

extension String {
    fileprivate func commonPrefixCount(with other: String) -> Int {
        zip(utf8, other.utf8).prefix { $0 == $1 }.count
    }

    fileprivate func likeness(to other: String) -> Int {
        commonPrefixCount(with: other) + zip(utf8.reversed(), other.utf8.reversed()).prefix { $0 == $1 }.count
    }
}
