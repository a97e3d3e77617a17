import OpenSSL

/// What each setting was when it was read, as digests: enough to name those that have changed, and no secret among it.
struct SettingsValues: Sendable {
    private var digests: [String: SIMD32<UInt8>] = [:]

    /// The settings themselves, and the variables that SYNC_ENV_PASS hands to the script.
    init(_ source: SettingsSource) {
        for name in SettingsSource.known.union(source.list("SYNC_ENV_PASS")) {
            digests[name] = source.text(name).map { SHA256.hash(Array($0.utf8)) }
        }
    }

    /// Counts what a file holds as part of the setting that names it.
    /// - Parameter content: a digest of the file; nil where the setting is not set.
    mutating func include(_ content: SIMD32<UInt8>?, in name: String) {
        guard let path = digests[name], let content else { return }
        digests[name] = SHA256.hash(0, path, content)
    }

    /// The names of the settings that differ, sorted.
    func changed(since old: SettingsValues) -> [String] {
        Set(digests.keys).union(old.digests.keys).filter { digests[$0] != old.digests[$0] }.sorted()
    }

    /// Takes some settings over from another reading.
    mutating func take(_ names: [String], from new: SettingsValues) {
        for name in names { digests[name] = new.digests[name] }
    }
}
