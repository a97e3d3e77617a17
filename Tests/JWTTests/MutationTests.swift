import Encoding
import JWT
import TestSupport
import Testing

@Suite struct MutationTests {
    @Test func everyByteOfATokenCounts() throws {
        let token = Array(try TestTokens.token().utf8)
        for index in token.indices {
            for replacement in [UInt8(ascii: "A"), UInt8(ascii: "."), UInt8(ascii: "="), UInt8(ascii: "\n"), 0, 0xC3] {
                var mutated = token
                mutated[index] = replacement
                guard mutated != token else { continue }
                #expect(TestTokens.refusal(of: String(decoding: mutated, as: UTF8.self)) != nil)
            }
            var shorter = token
            shorter.remove(at: index)
            #expect(TestTokens.refusal(of: String(decoding: shorter, as: UTF8.self)) != nil)
            #expect(TestTokens.refusal(of: String(decoding: token.prefix(index), as: UTF8.self)) != nil)
        }
    }

    @Test func segmentsOfTwoTokensDoNotMix() throws {
        let tokens = try [#""ana""#, #""admin""#].map { user in
            try TestTokens.token(payload: TestTokens.payload(["sub": user]))
        }
        let parts = tokens.map { $0.split(separator: ".").map(String.init) }
        #expect(TestTokens.refusal(of: [parts[0][0], parts[1][1], parts[0][2]].joined(separator: ".")) == .signature)
        #expect(TestTokens.refusal(of: [parts[1][0], parts[0][1], parts[1][2]].joined(separator: ".")) == .signature)
        #expect(TestTokens.refusal(of: [parts[0][1], parts[0][0], parts[0][2]].joined(separator: ".")) != nil)
    }

    @Test func noMutatedTokenIsAccepted() throws {
        let originals = try [
            TestTokens.token(), TestTokens.token(payload: TestTokens.payload(["role": #""admin""#])),
            TestTokens.token(header: #"{"typ":"JWT","alg":"HS256","kid":"a"}"#),
        ].map { Array($0.utf8) }
        var random = SeededGenerator(seed: 7515)
        var unchanged = 0
        for _ in 0..<20_000 {
            let mutated = random.mutate(originals[Int.random(in: 0..<originals.count, using: &random)])
            let refusal = TestTokens.refusal(of: String(decoding: mutated, as: UTF8.self))
            if originals.contains(mutated) {
                unchanged += 1
                #expect(refusal == nil)
            } else {
                #expect(refusal != nil)
            }
        }
        #expect(unchanged < 5000)
    }

    /// What an issuer gone mad could sign: header and claims are mutated first and signed then.
    @Test func signedNonsenseNeitherTrapsNorPasses() throws {
        let headers = [
            TestTokens.header, #"{"alg":"HS256","kid":"\u00e9","x":[1.5e3,{"y":null}]}"#,
        ].map { Array($0.utf8) }
        let payloads = [
            TestTokens.payload(["role": #"["admin","r\u0075n"]"#, "name": #""Ana""#, "nbf": "1.8e9"]),
            TestTokens.payload(["sub": "42", "exp": "1800003600.25", "iat": nil, "aud": #"["sync"]"#]),
        ].map { Array($0.utf8) }
        let rules = Rules(secret: TestTokens.secret, notBefore: TestTokens.now - 86400)
        let verifier = Verifier(rules: rules)
        var random = SeededGenerator(seed: 7519)
        var accepted = 0
        for round in 0..<20_000 {
            var header = headers[Int.random(in: 0..<headers.count, using: &random)]
            var payload = payloads[Int.random(in: 0..<payloads.count, using: &random)]
            if round.isMultiple(of: 4) { header = random.mutate(header) } else { payload = random.mutate(payload) }
            let token = try TestTokens.sign(Base64.url.encode(header), Base64.url.encode(payload))
            let claims: Claims
            do {
                claims = try verifier.verify(token, now: TestTokens.now)
            } catch {
                #expect(!error.description.isEmpty)
                continue
            }
            accepted += 1
            #expect((1...256).contains(claims.user.utf8.count))
            #expect((claims.name?.utf8.count ?? 0) <= 256)
            #expect(claims.expiresAt > TestTokens.now - 30)
            #expect(claims.expiresAt <= TestTokens.now + 90030)
            #expect((claims.issuedAt ?? 0) <= TestTokens.now + 30)
        }
        #expect(accepted > 100)
    }
}
