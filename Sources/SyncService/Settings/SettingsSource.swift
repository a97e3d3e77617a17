import Diagnostics
import Linux

/// The texts of all settings: those of the environment take precedence over those of the files.
struct SettingsSource: Sendable {
    /// A name with one of these that is no setting is a spelling mistake.
    private static let ourPrefixes = ["SYNC_", "JWT_", "TLS_", "AUDIT_", "CORS_"]

    let environment: [String: String]
    let files: [EnvironmentFile]

    /// - Throws: ``SettingsError`` where a file has an unknown name of ours, or two files have the same name.
    init(environment: [String: String], files: [EnvironmentFile]) throws(SettingsError) {
        self.environment = environment
        self.files = files
        for file in files {
            for entry in file.entries where isUnknown(entry.name) {
                throw SettingsError(
                    "\(file.path) line \(entry.line): unknown setting \(entry.name)\(Self.suggestion(for: entry.name))",
                    fix: "correct or remove the line; a name meant for the script belongs in SYNC_ENV_PASS")
            }
            for entry in file.entries {
                guard let (first, _) = find(entry.name), first.path != file.path else { continue }
                throw SettingsError(
                    "\(entry.name) is set in \(first.path) and in \(file.path) line \(entry.line)", fix: "remove one of the two")
            }
        }
    }

    // MARK: Values

    /// The value of a setting: what is set, or its default.
    /// - Throws: ``SettingsError`` where the text is no value of it.
    func value<Value>(_ setting: KeyPath<SettingDeclarations, Setting<Value>>) throws(SettingsError) -> Value {
        let declared = SettingDeclarations.shared[keyPath: setting]
        guard let text = text(declared.name) else { return declared.defaultValue }
        do throws(InvalidValue) { return try declared.parse(text) } catch {
            throw self.error(setting, error.problem, fix: error.fix)
        }
    }

    func isSet<Value>(_ setting: KeyPath<SettingDeclarations, Setting<Value>>) -> Bool {
        text(SettingDeclarations.shared[keyPath: setting].name) != nil
    }

    /// The text of a setting, or of another variable that the script gets; nil where it is not set or empty.
    func text(_ name: String) -> String? {
        let value = environment[name] ?? find(name)?.1.value
        return value?.isEmpty == true ? nil : value
    }

    /// The variables that SYNC_ENV_PASS lists, right or wrong.
    var passedNames: [String] { text(SettingDeclarations.shared.passedEnvironment.name).map(listElements) ?? [] }

    /// The files that settings name and GET /sync/log must never show.
    var secretFiles: [String] { SettingDeclarations.all.filter(\.namesSecretFile).compactMap { text($0.name) } }

    // MARK: Messages

    /// - Parameters:
    ///   - problem: continues the sentence that the setting's name begins.
    ///   - cause: the system call that failed, where one did.
    func error<Value>(
        _ setting: KeyPath<SettingDeclarations, Setting<Value>>, _ problem: String, fix: String, cause: SystemError? = nil
    ) -> SettingsError {
        let name = SettingDeclarations.shared[keyPath: setting].name
        return SettingsError("\(name) (\(origin(name))) \(problem)", fix: fix, cause: cause)
    }

    /// Where a setting's value comes from.
    private func origin(_ name: String) -> String {
        if environment[name] != nil { return "in the environment" }
        guard let (file, entry) = find(name) else { return "not set" }
        return "\(file.path) line \(entry.line)"
    }

    private func find(_ name: String) -> (EnvironmentFile, EnvironmentFile.Entry)? {
        for file in files {
            if let entry = file.entries.first(where: { $0.name == name }) { return (file, entry) }
        }
        return nil
    }

    // MARK: Unknown names

    /// Variables of the environment that look like settings and are none, sorted. They stop nothing, because the
    /// environment may hold them for another program.
    var unknownInEnvironment: [String] { environment.keys.filter(isUnknown).sorted() }

    private func isUnknown(_ name: String) -> Bool {
        // SYNC_RUN_ID is in the environment of a script that calls this program.
        !SettingDeclarations.names.contains(name) && name != "SYNC_RUN_ID" && Self.ourPrefixes.contains(where: name.hasPrefix)
            && !passedNames.contains(name)
    }

    private static func suggestion(for name: String) -> String {
        // Sorted, so that the same mistake always gets the same suggestion.
        let similar = SettingDeclarations.names.sorted().filter { $0.commonPrefixLength(with: name) >= 8 }
        return similar.max { $0.likeness(to: name) < $1.likeness(to: name) }.map { " (did you mean \($0)?)" } ?? ""
    }
}

extension String {
    fileprivate func commonPrefixLength(with other: String) -> Int {
        zip(utf8, other.utf8).prefix { $0 == $1 }.count
    }

    fileprivate func likeness(to other: String) -> Int {
        commonPrefixLength(with: other) + zip(utf8.reversed(), other.utf8.reversed()).prefix { $0 == $1 }.count
    }
}
