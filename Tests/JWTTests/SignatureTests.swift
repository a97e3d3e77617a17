import Encoding
import JSON
import JWT
import OpenSSL
import Testing

@Suite struct SignatureTests {
    /// RFC 7515, appendix A.1. It has no `sub`, so `iss` names the user here.
    private let published =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    private let publishedKey =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"

    @Test func acceptsThePublishedToken() throws {
        let key = try #require(Base64.url.decode(publishedKey.utf8))
        let verifier = Verifier(rules: Rules(secret: key, userClaim: "iss"))
        let claims = try verifier.verify(published, now: 1_300_819_000)
        #expect(claims.user == "joe")
        #expect(claims.expiresAt == 1_300_819_380)
        #expect(claims.issuedAt == nil)
        #expect(claims.roles == [])
    }

    @Test func refusesThePublishedTokenWithAnyBitTurned() throws {
        let key = try #require(Base64.url.decode(publishedKey.utf8))
        let rules = Rules(secret: key, userClaim: "iss")
        for index in published.utf8.indices.map({ published.utf8.distance(from: published.startIndex, to: $0) }) {
            for bit in 0..<8 {
                var bytes = Array(published.utf8)
                bytes[index] ^= 1 << UInt8(bit)
                let token = String(decoding: bytes, as: UTF8.self)
                #expect(TestTokens.refusal(of: token, rules: rules, now: 1_300_819_000) != nil)
            }
        }
    }

    @Test func refusesThePublishedTokenUnderAKeyWithAnyBitTurned() throws {
        let key = try #require(Base64.url.decode(publishedKey.utf8))
        for index in key.indices {
            var other = key
            other[index] ^= 0x10
            let rules = Rules(secret: other, userClaim: "iss")
            #expect(TestTokens.refusal(of: published, rules: rules, now: 1_300_819_000) == .signature)
        }
    }

    @Test(arguments: Algorithm.allCases)
    func whatTheSignerMakesPasses(algorithm: Algorithm) throws {
        let signer = Signer(algorithm: algorithm, secret: TestTokens.secret)
        let claims = JSONValue.object([
            .init("sub", .string("ana")), .init("name", .string("Ana é")),
            .init("role", .array([.string("admin"), .string("run")])),
            .init("iat", .integer(TestTokens.now)), .init("exp", .integer(TestTokens.now + 60)),
        ])
        let token = try signer.sign(claims)
        let verifier = Verifier(rules: Rules(algorithm: algorithm, secret: TestTokens.secret))
        let verified = try verifier.verify(token, now: TestTokens.now)
        #expect(verified.user == "ana")
        #expect(verified.name == "Ana é")
        #expect(verified.roles == ["admin", "run"])
        #expect(verified.issuedAt == TestTokens.now)
        #expect(verified.expiresAt == TestTokens.now + 60)
        #expect(verified.fingerprint == Fingerprint.of(token))
    }

    @Test func signsTheHeaderEveryoneExpects() throws {
        let token = try Signer(algorithm: .HS384, secret: TestTokens.secret).sign(.object([]))
        let header = try #require(token.split(separator: ".").first)
        let decoded = try #require(Base64.url.decode(header.utf8))
        #expect(String(decoding: decoded, as: UTF8.self) == #"{"alg":"HS384","typ":"JWT"}"#)
    }

    @Test func everyAlgorithmRefusesTheOthers() throws {
        for signing in Algorithm.allCases {
            let token = try Signer(algorithm: signing, secret: TestTokens.secret).sign(.object([]))
            for configured in Algorithm.allCases where configured != signing {
                let rules = Rules(algorithm: configured, secret: TestTokens.secret)
                #expect(TestTokens.refusal(of: token, rules: rules) == .algorithm)
            }
        }
    }

    /// The header says HS256; the signature is a good one of another length, cut or whole.
    @Test func theSignatureHasItsWholeLength() throws {
        let token = try TestTokens.token()
        let signed = token.split(separator: ".").dropLast().joined(separator: ".")
        let code = try HMAC.authenticate(Array(signed.utf8), key: TestTokens.secret, hash: .sha256)
        for cut in 0..<code.count {
            let shorter = signed + "." + Base64.url.encode(Array(code.prefix(cut)))
            #expect(TestTokens.refusal(of: shorter) == .signature)
        }
        #expect(TestTokens.refusal(of: signed + "." + Base64.url.encode(code + [0])) == .signature)
        let long = try HMAC.authenticate(Array(signed.utf8), key: TestTokens.secret, hash: .sha512)
        #expect(TestTokens.refusal(of: signed + "." + Base64.url.encode(long)) == .signature)
    }

    @Test func rotationAcceptsBothSecretsAndNoThird() throws {
        let token = try TestTokens.token()
        let stranger = Array(TestTokens.secret.reversed())
        let other = TestTokens.otherSecret
        #expect(TestTokens.refusal(of: token, rules: Rules(secret: TestTokens.secret, previousSecret: other)) == nil)
        #expect(TestTokens.refusal(of: token, rules: Rules(secret: other, previousSecret: TestTokens.secret)) == nil)
        #expect(TestTokens.refusal(of: token, rules: Rules(secret: other)) == .signature)
        #expect(TestTokens.refusal(of: token, rules: Rules(secret: other, previousSecret: stranger)) == .signature)
    }

    @Test(arguments: [(Algorithm.HS256, 32), (.HS384, 48), (.HS512, 64)])
    func aShortSecretPassesNothing(algorithm: Algorithm, minimum: Int) throws {
        #expect(algorithm.minimumSecretBytes == minimum)
        let short = Array(TestTokens.secret.prefix(minimum - 1))
        #expect(throws: TokenError.secretTooShort) { try Signer(algorithm: algorithm, secret: short).sign(.object([])) }
        let token = try TestTokens.sign(
            Base64.url.encode(Array(#"{"alg":"\#(algorithm.rawValue)"}"#.utf8)),
            Base64.url.encode(Array(TestTokens.payload().utf8)),
            secret: short, hash: [.HS256: .sha256, .HS384: .sha384, .HS512: .sha512][algorithm] ?? .sha256)
        #expect(
            TestTokens.refusal(of: token, rules: Rules(algorithm: algorithm, secret: short)) == .secretTooShort)
        #expect(
            TestTokens.refusal(
                of: token, rules: Rules(algorithm: algorithm, secret: TestTokens.secret, previousSecret: short))
                == .secretTooShort)
        #expect(
            TestTokens.refusal(
                of: token, rules: Rules(algorithm: algorithm, secret: TestTokens.secret, previousSecret: []))
                == .secretTooShort)
    }

    /// An unsigned payload that could not even be parsed is refused for its signature: nothing looked into it.
    @Test(arguments: ["", "{", "nul", #"{"sub":1,"sub":1}"#, String(repeating: "[", count: 2000)])
    func thePayloadIsNotReadBeforeTheSignature(payload: String) throws {
        let segment = Base64.url.encode(Array(payload.utf8))
        let header = Base64.url.encode(Array(TestTokens.header.utf8))
        let forged = try TestTokens.sign(header, segment, secret: TestTokens.otherSecret)
        #expect(TestTokens.refusal(of: forged) == .signature)
        let foreign = try TestTokens.sign(header, segment + "=", secret: TestTokens.otherSecret)
        #expect(TestTokens.refusal(of: foreign) == .signature)
    }

    @Test func secretsAreNotPrinted() {
        let rules = Rules(secret: [91, 92, 93], previousSecret: [94, 95, 96])
        let signer = Signer(algorithm: .HS256, secret: [91, 92, 93])
        var text = "\(rules) \(signer) \(Verifier(rules: rules))"
        text += String(reflecting: [rules]) + String(reflecting: signer)
        dump(rules, to: &text)
        dump(Verifier(rules: rules), to: &text)
        dump(signer, to: &text)
        for number in 91...96 { #expect(!text.contains("\(number)")) }
    }

    @Test func fingerprintIsTheStartOfTheDigest() throws {
        #expect(Fingerprint.of("abc") == "ba7816bf8f01cfea")
        #expect(Fingerprint.of("") == "e3b0c44298fc1c14")
    }
}
