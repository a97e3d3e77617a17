import JWT
import Linux
import TestSupport
import Testing

@testable import SyncService

@Suite struct TokenSettingsTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func secretFile(_ name: String, _ text: String, mode: String = "600") throws -> String {
        try folder.run("/bin/sh", ["-c", "printf '%s' '\(text)' > '\(folder(name))' && chmod \(mode) '\(folder(name))'"])
        return folder(name)
    }

    private static let long = String(repeating: "s", count: 32)

    @Test func withoutASecretThereAreNoRules() throws {
        #expect(try SecretSettings.load(source()) == nil)
    }

    @Test func oneLineFeedAtTheEndIsNoPartOfTheSecret() throws {
        let path = try secretFile("secret", Self.long + "\n")
        #expect(try SecretSettings.load(source("JWT_SECRET_FILE=\(path)"))?.current == Array(Self.long.utf8))
    }

    @Test func aPreviousSecretIsReadToo() throws {
        let (path, previous) = (try secretFile("secret", Self.long), try secretFile("previous", Self.long + "2"))
        let secrets = try SecretSettings.load(source("JWT_SECRET_FILE=\(path)\nJWT_PREVIOUS_SECRET_FILE=\(previous)"))
        #expect(secrets?.previous == Array((Self.long + "2").utf8))
    }

    @Test(arguments: [("HS256", 31), ("HS384", 47), ("HS512", 63)])
    func aShortSecretIsRefusedAndNeverShown(algorithm: String, length: Int) throws {
        let secret = String(repeating: "q", count: length)
        let message = refusal { _ = try SecretSettings.load(source("JWT_SECRET=\(secret)\nJWT_ALGORITHM=\(algorithm)")) }
        #expect(message?.contains("holds \(length) bytes, but \(algorithm) needs at least \(length + 1)") == true)
        #expect(message?.contains("qqqq") == false)
    }

    @Test(arguments: ["644", "620", "606"])
    func aSecretThatOthersCanReadOrChangeIsRefused(mode: String) throws {
        let path = try secretFile("secret", Self.long, mode: mode)
        #expect(refusal { _ = try SecretSettings.load(source("JWT_SECRET_FILE=\(path)")) }?.contains("chmod 640 \(path)") == true)
    }

    @Test func twoSecretsAreRefused() {
        let message = refusal { _ = try SecretSettings.load(source("JWT_SECRET_FILE=/a\nJWT_SECRET=\(Self.long)")) }
        #expect(message?.contains("JWT_SECRET_FILE and JWT_SECRET are both set") == true)
    }

    @Test func aMissingFileIsNamed() {
        let message = refusal { _ = try SecretSettings.load(source("JWT_SECRET_FILE=/nonexistent/secret")) }
        #expect(message?.contains("JWT_SECRET_FILE (.env line 1) cannot be read") == true)
    }

    @Test(
        arguments: [
            ("0", 0), ("1769860800", 1_769_860_800), ("2026-01-31T12:00:00Z", 1_769_860_800), ("2026-01-31T13:00:00+01:00", 1_769_860_800),
        ] as [(String, Int64)])
    func momentsAreReadInBothForms(text: String, seconds: Int64) throws {
        #expect(try source(environment: ["JWT_NOT_BEFORE": text]).value(\.notBefore) == seconds)
    }

    @Test(arguments: ["yesterday", "-1", "2026-02-30T12:00:00Z", "99999999999999999999", "1.5"])
    func otherMomentsAreRefused(text: String) {
        #expect(refusal { _ = try source(environment: ["JWT_NOT_BEFORE": text]).value(\.notBefore) }?.contains("JWT_NOT_BEFORE") == true)
    }

    @Test func rulesHaveTheDocumentedDefaults() throws {
        let secrets = SecretSettings(algorithm: .HS256, current: Array(Self.long.utf8), previous: nil)
        let rules = try Rules(source(), secrets)
        #expect([rules.userClaim, rules.nameClaim, rules.roleClaim] == ["sub", "name", "role"])
        #expect(rules.leewaySeconds == 30)
        #expect(rules.maxLifetimeSeconds == 90000)
        #expect(rules.issuer == nil && rules.audience == nil && rules.notBefore == nil)
    }
}
