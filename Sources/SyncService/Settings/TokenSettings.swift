import Diagnostics
import Glibc
import History
import JWT
import Linux

/// The secrets that verify tokens.
struct SecretSettings {
    let algorithm: Algorithm
    let current: [UInt8]
    let previous: [UInt8]?

    /// Reads the files with the secrets. Blocks.
    /// - Returns: nil where no secret is set.
    /// - Throws: ``SettingsError``.
    static func load(_ source: SettingsSource) throws(SettingsError) -> SecretSettings? {
        let algorithm = try source.value(\.algorithm)
        let current: [UInt8]
        switch (try source.value(\.secretFile), try source.value(\.secret)) {
        case (nil, nil): return nil
        case (.some, .some):
            throw SettingsError("JWT_SECRET_FILE and JWT_SECRET are both set", fix: "remove one; JWT_SECRET_FILE is the safer one")
        case (let path?, nil):
            current = try read(path, \.secretFile, source, algorithm)
        case (nil, let text?):
            current = Array(text.utf8)
            try check(current, \.secret, source, algorithm)
        }
        let previous = try source.value(\.previousSecretFile).map { path throws(SettingsError) in
            try read(path, \.previousSecretFile, source, algorithm)
        }
        return SecretSettings(algorithm: algorithm, current: current, previous: previous)
    }

    private typealias Name = KeyPath<SettingDeclarations, Setting<String?>>

    private static func read(
        _ path: String, _ name: Name, _ source: SettingsSource, _ algorithm: Algorithm
    ) throws(SettingsError) -> [UInt8] {
        let facts: FileFacts
        var secret: [UInt8]
        do {
            (secret, facts) = try Files.readWithFacts(path, limit: 65536, followLink: true)
        } catch {
            throw source.error(
                name, "cannot be read: \(error)",
                fix: error.isPermissionDenied ? "let user \(Account.own) read it: \(Account.admission(to: path))" : "create the file",
                cause: error)
        }
        // The package shares the file with the service's user by its group. Nobody else may read or write it.
        guard facts.mode & 0o027 == 0, facts.owner == 0 || facts.owner == geteuid() else {
            throw source.error(
                name, "names a file that others can read or change (mode \(String(facts.mode, radix: 8)), owner \(facts.owner))",
                fix: Account.admission(to: path, owner: facts.owner))
        }
        if secret.last == UInt8(ascii: "\n") { secret.removeLast() }
        try check(secret, name, source, algorithm)
        return secret
    }

    private static func check(
        _ secret: [UInt8], _ name: Name, _ source: SettingsSource, _ algorithm: Algorithm
    ) throws(SettingsError) {
        guard secret.count >= algorithm.minimumSecretBytes else {
            throw source.error(
                name, "holds \(secret.count) bytes, but \(algorithm.rawValue) needs at least \(algorithm.minimumSecretBytes)",
                fix: "make a new one (openssl rand -hex 32) and give the same to the program that issues the tokens")
        }
    }
}

extension Rules {
    init(_ source: SettingsSource, _ secrets: SecretSettings) throws(SettingsError) {
        self.init(
            algorithm: secrets.algorithm, secret: secrets.current, previousSecret: secrets.previous,
            issuer: try source.value(\.issuer), audience: try source.value(\.audience), leewaySeconds: try source.value(\.leewaySeconds),
            maxLifetimeSeconds: try source.value(\.maxLifetimeSeconds), notBefore: try source.value(\.notBefore),
            userClaim: try source.value(\.userClaim), nameClaim: try source.value(\.nameClaim), roleClaim: try source.value(\.roleClaim))
    }

    /// - Parameter text: seconds since 1970, or a timestamp.
    static func secondsSince1970(_ text: String) throws(InvalidValue) -> Int64 {
        let isNumber = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let moment = isNumber ? Int64(text) : Timestamp.milliseconds(parsing: text).map({ $0 / 1000 }) else {
            throw InvalidValue("is \"\(text)\"", fix: "set seconds since 1970 or a time such as 2026-01-31T12:00:00Z")
        }
        return moment
    }
}
