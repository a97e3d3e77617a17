import ArgumentParser
import AuditLog
import History
import JSON
import JWT
import Linux

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Print a token that is signed with the configured secret.",
        discussion: "For tests and scripts. People get their tokens from the application that they log in to. The audit log records each token.")

    @OptionGroup var common: CommonOptions
    @Option(help: "The user the token is for.") var user: String
    @Option(help: "A role for the token, for example the administrators'.") var role: String?
    @Option(help: "How long the token is valid: a number with s, m, h or d.") var ttl = "1h"

    func run() throws {
        let settings = try common.settings()
        let rules = try settings.requireTokens()
        guard let seconds = Self.seconds(ttl), seconds > 0 else { throw ValidationError("--ttl takes a number with s, m, h or d, such as 90m") }
        guard seconds <= rules.maxLifetimeSeconds else {
            throw ValidationError("--ttl is longer than JWT_MAX_LIFETIME_SECONDS allows (\(rules.maxLifetimeSeconds) s)")
        }
        guard !user.isEmpty else { throw ValidationError("--user must not be empty") }
        let now = Clock.wallMilliseconds() / 1000
        var claims = [
            JSONValue.Member(rules.userClaim, .string(user)), .init("iat", .integer(now)), .init("exp", .integer(now + seconds)),
        ]
        if let role { claims.append(.init(rules.roleClaim, .string(role))) }
        if let issuer = rules.issuer { claims.append(.init("iss", .string(issuer))) }
        if let audience = rules.audience { claims.append(.init("aud", .string(audience))) }
        let token = try Signer(algorithm: rules.algorithm, secret: rules.secret).sign(.object(claims))
        do { _ = try Verifier(rules: rules).verify(token, now: now) } catch {
            throw CommandError("this service would refuse the token: \(error); choose another --user or --role")
        }
        try Caller.becomeOwner(of: settings.stateDirectory)
        try settings.createHistory().record(
            .tokenIssued(user: user, role: role, ttlSeconds: seconds, fingerprint: Fingerprint.of(token)), by: Caller.principal())
        print(token)
    }

    private static func seconds(_ text: String) -> Int64? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
        guard let unit = text.last.flatMap({ units[$0] }), let number = Int64(text.dropLast()), number <= 1_000_000 else { return nil }
        return number * unit
    }
}
