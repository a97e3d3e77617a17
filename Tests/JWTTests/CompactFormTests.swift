import Encoding
import JWT
import Testing

@testable import JSON

/// The shape of a token and its header. All of these carry a good signature.
@Suite struct CompactFormTests {
    private func refusal(header: String) throws -> TokenError? {
        TestTokens.refusal(of: try TestTokens.token(header: header))
    }

    @Test func theTokenTheTestsStartFromIsAccepted() throws {
        #expect(TestTokens.refusal(of: try TestTokens.token()) == nil)
    }

    @Test func segments() throws {
        let token = try TestTokens.token()
        let parts = token.split(separator: ".").map(String.init)
        for wrong in [
            "", ".", "a", parts[0], parts[0] + "." + parts[1], parts[1] + "." + parts[2], token + ".", token + ".e30",
            "." + token, token + "." + token, String(repeating: ".", count: 8192),
        ] {
            #expect(TestTokens.refusal(of: wrong) == .segmentCount)
        }
        #expect(TestTokens.refusal(of: "..") == .header(JSONError(reason: .unexpectedEnd, offset: 0)))
        #expect(TestTokens.refusal(of: parts[0] + "." + parts[1] + ".") == .signature)
        #expect(TestTokens.refusal(of: parts[0] + ".." + parts[2]) == .signature)
        let empty = try TestTokens.sign(parts[0], "")
        #expect(TestTokens.refusal(of: empty) == .claims(JSONError(reason: .unexpectedEnd, offset: 0)))
    }

    @Test func lengthIsCheckedBeforeAnythingElse() throws {
        // Grown by a claim until the token is just within, then just beyond the limit.
        func token(filling count: Int) throws -> String {
            try TestTokens.token(payload: TestTokens.payload(["x": "\"" + String(repeating: "x", count: count) + "\""]))
        }
        var count = 6000
        while try token(filling: count + 1).utf8.count <= 8192 { count += 1 }
        #expect(TestTokens.refusal(of: try token(filling: count)) == nil)
        #expect(TestTokens.refusal(of: try token(filling: count + 1)) == .tooLong)
        #expect(TestTokens.refusal(of: String(repeating: "é", count: 5000)) == .tooLong)
        #expect(TestTokens.refusal(of: String(repeating: ".", count: 8193)) == .tooLong)
    }

    @Test func base64IsStrictInEverySegment() throws {
        let header = Base64.url.encode(Array(TestTokens.header.utf8))
        // Lengths of 3n + 1 bytes leave four bits in the last character, so another spelling exists.
        let longHeader = Base64.url.encode(Array(#"{"alg":"HS256","typ":"JWT" }"#.utf8))
        var payload = TestTokens.payload()
        while payload.utf8.count % 3 != 1 { payload += " " }
        let claims = Base64.url.encode(Array(payload.utf8))
        for spoil in Self.spoilers {
            #expect(TestTokens.refusal(of: try TestTokens.sign(spoil(longHeader), claims)) == .encoding(.header))
            #expect(TestTokens.refusal(of: try TestTokens.sign(header, spoil(claims))) == .encoding(.payload))
            let parts = try TestTokens.sign(header, claims).split(separator: ".").map(String.init)
            let spoiled = parts[0] + "." + parts[1] + "." + spoil(parts[2])
            #expect(TestTokens.refusal(of: spoiled) == .encoding(.signature))
        }
    }

    /// Ways to write a segment differently, each of which a lenient decoder takes for the same bytes.
    private static let spoilers: [@Sendable (String) -> String] = [
        { $0 + "=" }, { $0 + "==" }, { $0 + " " }, { " " + $0 }, { $0 + "\n" }, { "\t" + $0 }, { $0 + "\r\n" },
        { $0.prefix(4) + " " + $0.dropFirst(4) }, { $0 + "\u{0}" }, { $0 + "é" }, { "\u{FEFF}" + $0 },
        { $0 + "+" }, { $0 + "/" }, { $0 + "*" }, { $0 + "%3D" },
        { segment in
            // The next character of the alphabet differs in the bits that belong to no byte.
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            let last = segment.last.flatMap(alphabet.firstIndex(of:)) ?? alphabet.startIndex
            return segment.dropLast() + String(alphabet[alphabet.index(after: last)])
        },
    ]

    @Test(arguments: [
        #"{}"#, #"{"typ":"JWT"}"#, #"{"alg":"none"}"#, #"{"alg":"None"}"#, #"{"alg":"hs256"}"#, #"{"alg":"HS256 "}"#,
        #"{"alg":" HS256"}"#, #"{"alg":"HS384"}"#, #"{"alg":"HS512"}"#, #"{"alg":"HS2567"}"#, #"{"alg":"HS1"}"#,
        #"{"alg":"RS256"}"#, #"{"alg":"ES256"}"#, #"{"alg":"PS256"}"#, #"{"alg":"EdDSA"}"#, #"{"alg":"dir"}"#,
        #"{"alg":""}"#, #"{"alg":null}"#, #"{"alg":256}"#, #"{"alg":true}"#, #"{"alg":["HS256"]}"#,
        #"{"alg":{"HS256":1}}"#, #"{"ALG":"HS256"}"#, #"{"Alg":"HS256"}"#, #"{"alg":"HS256\u0000"}"#,
        #"{"alg":"HＳ256"}"#,
    ])
    func onlyTheConfiguredAlgorithm(header: String) throws {
        #expect(try refusal(header: header) == .algorithm)
    }

    @Test func noneWithoutSignature() throws {
        let header = Base64.url.encode(Array(#"{"alg":"none"}"#.utf8))
        let payload = Base64.url.encode(Array(TestTokens.payload().utf8))
        #expect(TestTokens.refusal(of: header + "." + payload + ".") == .algorithm)
    }

    @Test(arguments: ["JWT", "jwt", "Jwt", "jWT"])
    func typeInAnyCase(type: String) throws {
        #expect(try refusal(header: #"{"alg":"HS256","typ":"\#(type)"}"#) == nil)
    }

    @Test(arguments: [
        #""""#, #""JWT ""#, #""at+jwt""#, #""application/jwt""#, #""JWS""#, #""JOSE""#, #""ＪWT""#, "null", "1", "true",
        #"["JWT"]"#, "{}", #""\u0000JWT""#, #""*WT""#,
    ])
    func otherTypes(type: String) throws {
        #expect(try refusal(header: #"{"alg":"HS256","typ":\#(type)}"#) == .type)
    }

    @Test(arguments: ["crit", "b64", "jku", "jwk", "x5u", "x5c", "zip"])
    func parametersThatChangeTheRules(name: String) throws {
        for value in ["null", "true", #""x""#, "[]", #"["exp"]"#, "{}"] {
            #expect(try refusal(header: #"{"alg":"HS256","\#(name)":\#(value)}"#) == .headerParameter(name))
        }
        let escaped = name.utf8.map { "\\u00" + String($0, radix: 16) }.joined()
        #expect(try refusal(header: #"{"alg":"HS256","\#(escaped)":1}"#) == .headerParameter(name))
    }

    @Test(arguments: [#""kid":"../../x""#, #""cty":"JWT""#, #""x5t":"x""#, #""CRIT":[]"#, #""a":[[[[[[[]]]]]]]"#])
    func otherParametersAreHarmless(member: String) throws {
        #expect(try refusal(header: #"{"alg":"HS256",\#(member)}"#) == nil)
    }

    @Test(arguments: ["[]", #""HS256""#, "null", "1", #"[{"alg":"HS256"}]"#])
    func headerIsAnObject(header: String) throws {
        #expect(try refusal(header: header) == .headerNotObject)
    }

    @Test(
        arguments: [
            (#"{"alg":"HS256","alg":"HS256"}"#, .duplicateName), (#"{"alg":"none","\u0061lg":"HS256"}"#, .duplicateName),
            (#"{"alg":"HS256","x":{"a":1,"a":1}}"#, .duplicateName),
            (#"{"alg":"HS256","a":[[[[[[[[]]]]]]]]}"#, .tooDeep),
            (#"{"alg":"HS256"}x"#, .unexpectedByte), (#"{"alg":"HS256"},"#, .unexpectedByte),
            ("\u{FEFF}" + #"{"alg":"HS256"}"#, .unexpectedByte), (#"{"alg":"HS256""#, .unexpectedEnd),
            (#"{'alg':'HS256'}"#, .unexpectedByte), (#"{"alg":"\ud800"}"#, .loneSurrogate),
        ] as [(String, JSONError.Reason)])
    func headerIsStrictJSON(header: String, reason: JSONError.Reason) throws {
        guard case .header(let error) = try refusal(header: header) else {
            Issue.record("not refused for its header")
            return
        }
        #expect(error.reason == reason)
    }

    @Test func headerIsUTF8() throws {
        let header = Array(#"{"alg":"HS256","kid":""#.utf8) + [0xFF] + Array(#""}"#.utf8)
        let payload = Base64.url.encode(Array(TestTokens.payload().utf8))
        let token = try TestTokens.sign(Base64.url.encode(header), payload)
        #expect(TestTokens.refusal(of: token) == .header(JSONError(reason: .invalidUTF8, offset: 21)))
    }
}
