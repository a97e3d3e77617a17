import Diagnostics
import HTTPServer
import JWT

/// Settings that were read again and found right, with the names of those that have changed.
struct SettingsReading: Sendable {
    private static let reloadable = Set(SettingDeclarations.all.filter(\.reloads).map(\.name))
    /// Without HTTPS at the start, a new pair waits for a restart.
    private static let certificateNames = [SettingDeclarations.shared.certificateFile.name, SettingDeclarations.shared.keyFile.name]

    let values: SettingsValues
    let authenticator: Authenticator
    /// nil where the service keeps the pair it has.
    let tls: LoadedTLS?
    let secretFiles: [String]
    /// Those that the service takes over.
    let taken: [String]
    let needRestart: [String]

    /// Reads and checks everything before anything is taken over: a bad pair of certificate and key must not leave half of
    /// the new settings in force. Blocks.
    /// - Parameters:
    ///   - atStart: the settings with which the service started.
    ///   - withTLS: whether the service serves HTTPS.
    ///   - inForce: what is in force now.
    static func make(_ environmentFile: String?, atStart: Settings, withTLS: Bool, since inForce: SettingsValues) throws -> SettingsReading {
        let new = try Settings.load(environmentFile: environmentFile)
        let tls = try withTLS ? new.listener.loadTLS() : nil
        let values = Self.values(new, tls)
        let changed = values.changed(since: inForce)
        let reloadable = tls == nil ? Self.reloadable.subtracting(Self.certificateNames) : Self.reloadable
        return SettingsReading(
            values: values, authenticator: try authenticator(of: new, atStart: atStart), tls: tls, secretFiles: new.secretFiles,
            taken: changed.filter(reloadable.contains), needRestart: changed.filter { !reloadable.contains($0) })
    }

    /// The values of all settings, certificate and key among them.
    static func values(_ settings: Settings, _ tls: LoadedTLS?) -> SettingsValues {
        var values = settings.values
        values.include(tls?.certificateDigest, in: \.certificateFile)
        values.include(tls?.keyDigest, in: \.keyFile)
        return values
    }

    /// The rules of the start with the new secrets, lists and time.
    private static func authenticator(of new: Settings, atStart: Settings) throws(SettingsError) -> Authenticator {
        var rules = try atStart.requireTokens()
        let newRules = try new.requireTokens()
        // The new secrets were checked for the algorithm in the new settings, which may be another.
        let minimum = rules.algorithm.minimumSecretBytes
        guard newRules.secret.count >= minimum, newRules.previousSecret.map({ $0.count >= minimum }) ?? true else {
            throw SettingsError(
                "a secret is shorter than the \(minimum) bytes that \(rules.algorithm.rawValue) needs, the JWT_ALGORITHM in force",
                fix: "restart the service to change JWT_ALGORITHM, or set a longer secret")
        }
        rules.secret = newRules.secret
        rules.previousSecret = newRules.previousSecret
        rules.notBefore = newRules.notBefore
        var access = atStart.access
        access.adminUsers = new.access.adminUsers
        access.runUsers = new.access.runUsers
        access.deniedUsers = new.access.deniedUsers
        return Authenticator(rules: rules, access: access)
    }
}
