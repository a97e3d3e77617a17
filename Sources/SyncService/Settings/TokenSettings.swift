import Diagnostics
import Glibc
import History
import JWT
import Linux

/// The secrets that tokens are checked with, read once.
struct SecretSettings {
    let algorithm: Algorithm
    let current: [UInt8]
    let previous: [UInt8]?

    /// - Returns: nil where no secret is set.
    init?(_ source: SettingsSource) throws(SettingsError) {
        algorithm = try source.choice("JWT_ALGORITHM", default: .HS256)
        switch (source.text("JWT_SECRET_FILE"), source.text("JWT_SECRET")) {
        case (nil, nil): return nil
        case (.some, .some):
            throw SettingsError("JWT_SECRET_FILE and JWT_SECRET are both set", fix: "remove one; JWT_SECRET_FILE is the safer one")
        case (let path?, nil):
            current = try Self.read(path, "JWT_SECRET_FILE", source, algorithm)
        case (nil, let text?):
            current = Array(text.utf8)
            try Self.check(current, "JWT_SECRET", source, algorithm)
        }
        if let path = source.text("JWT_PREVIOUS_SECRET_FILE") {
            previous = try Self.read(path, "JWT_PREVIOUS_SECRET_FILE", source, algorithm)
        } else {
            previous = nil
        }
    }

    private static func read(
        _ path: String, _ name: String, _ source: SettingsSource, _ algorithm: Algorithm
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
        // Group read is how a package shares it with the service's user; everyone else, and every other writer, is out.
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
        _ secret: [UInt8], _ name: String, _ source: SettingsSource, _ algorithm: Algorithm
    ) throws(SettingsError) {
        guard secret.count >= algorithm.minimumSecretBytes else {
            throw source.error(
                name, "holds \(secret.count) bytes, and \(algorithm.rawValue) needs at least \(algorithm.minimumSecretBytes)",
                fix: "make a new one (openssl rand -hex 32) and set the same at the program that issues the tokens")
        }
    }
}

extension Rules {
    init(_ source: SettingsSource, _ secrets: SecretSettings) throws(SettingsError) {
        var notBefore: Int64?
        if let text = source.text("JWT_NOT_BEFORE") {
            let isNumber = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard let moment = isNumber ? Int64(text) : Timestamp.milliseconds(parsing: text).map({ $0 / 1000 }) else {
                throw source.error(
                    "JWT_NOT_BEFORE", "is \"\(text)\"", fix: "set seconds since 1970 or a time such as 2026-01-31T12:00:00Z")
            }
            notBefore = moment
        }
        self.init(
            algorithm: secrets.algorithm, secret: secrets.current, previousSecret: secrets.previous,
            issuer: source.text("JWT_ISSUER"), audience: source.text("JWT_AUDIENCE"),
            leewaySeconds: try source.integer("JWT_LEEWAY_SECONDS", default: 30, in: 0...600),
            maxLifetimeSeconds: try source.integer("JWT_MAX_LIFETIME_SECONDS", default: 90000, in: 1...31_536_000),
            notBefore: notBefore, userClaim: source.text("JWT_USER_CLAIM") ?? "sub",
            nameClaim: source.text("JWT_NAME_CLAIM") ?? "name", roleClaim: source.text("JWT_ROLE_CLAIM") ?? "role")
    }
}
