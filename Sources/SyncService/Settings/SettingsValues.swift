import OpenSSL

/// A digest of every setting as it was read. It tells which settings have changed and holds no secret.
struct SettingsValues: Sendable {
    private var digests: [String: SIMD32<UInt8>] = [:]

    /// The settings themselves, and the variables that SYNC_ENV_PASS hands to the script.
    init(_ source: SettingsSource) {
        for name in SettingDeclarations.names.union(source.passedNames) {
            digests[name] = source.text(name).map { SHA256.hash(Array($0.utf8)) }
        }
    }

    /// Makes the content of a file part of the value of the setting that names it.
    /// - Parameter content: a digest of the file; nil where the setting is not set.
    mutating func include<Value>(_ content: SIMD32<UInt8>?, in setting: KeyPath<SettingDeclarations, Setting<Value>>) {
        let name = SettingDeclarations.shared[keyPath: setting].name
        guard let path = digests[name], let content else { return }
        digests[name] = SHA256.hash(0, path, content)
    }

    /// The names of the settings that differ, sorted.
    func changed(since old: SettingsValues) -> [String] {
        Set(digests.keys).union(old.digests.keys).filter { digests[$0] != old.digests[$0] }.sorted()
    }

    /// Replaces the digests of some settings with those of another reading.
    mutating func take(_ names: [String], from new: SettingsValues) {
        for name in names { digests[name] = new.digests[name] }
    }
}
