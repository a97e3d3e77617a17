import JWT
import Testing

@testable import JSON

/// What a payload may say. All of these carry a good signature.
@Suite struct ClaimTests {
    private let now = TestTokens.now

    private func refusal(
        _ changes: KeyValuePairs<String, String?>, rules: Rules = Rules(secret: TestTokens.secret), now: Int64? = nil
    ) throws -> TokenError? {
        let token = try TestTokens.token(payload: TestTokens.payload(changes))
        return TestTokens.refusal(of: token, rules: rules, now: now ?? self.now)
    }

    private func claims(
        _ changes: KeyValuePairs<String, String?>, rules: Rules = Rules(secret: TestTokens.secret)
    ) throws -> Claims {
        try Verifier(rules: rules).verify(TestTokens.token(payload: TestTokens.payload(changes)), now: now)
    }

    private func rules(_ change: (inout Rules) -> Void) -> Rules {
        var rules = Rules(secret: TestTokens.secret)
        change(&rules)
        return rules
    }

    // MARK: the payload

    @Test(arguments: ["[]", "null", "1", #""sub""#, #"[{"sub":"ana"}]"#])
    func claimsAreAnObject(payload: String) throws {
        #expect(TestTokens.refusal(of: try TestTokens.token(payload: payload)) == .claimsNotObject)
    }

    @Test(
        arguments: [
            (TestTokens.payload(["x": "1", "\\u0078": "2"]), .duplicateName),
            (TestTokens.payload(["\\u0065xp": "9999999999"]), .duplicateName),
            (TestTokens.payload(["x": #"{"a":1,"a":2}"#]), .duplicateName),
            (TestTokens.payload(["x": "[[[[[[[[]]]]]]]]"]), .tooDeep),
            (TestTokens.payload() + "x", .unexpectedByte), (TestTokens.payload() + "{}", .unexpectedByte),
            ("\u{FEFF}" + TestTokens.payload(), .unexpectedByte), (TestTokens.payload(["exp": "NaN"]), .unexpectedByte),
            (TestTokens.payload(["exp": "01800003600"]), .unexpectedByte), ("", .unexpectedEnd),
            (TestTokens.payload(["sub": #""\udfff""#]), .loneSurrogate),
        ] as [(String, JSONError.Reason)])
    func claimsAreStrictJSON(payload: String, reason: JSONError.Reason) throws {
        guard case .claims(let error) = TestTokens.refusal(of: try TestTokens.token(payload: payload)) else {
            Issue.record("not refused for its claims")
            return
        }
        #expect(error.reason == reason)
    }

    @Test func eightLevelsAndOtherClaimsAreFine() throws {
        #expect(try refusal(["x": "[[[[[[[]]]]]]]", "jti": "1", "nonce": "null"]) == nil)
    }

    // MARK: times

    @Test func expiry() throws {
        #expect(try refusal(["exp": nil]) == .missingClaim("exp"))
        #expect(try refusal([:], now: now + 3629) == nil)
        #expect(try refusal([:], now: now + 3630) == .expired)
        #expect(try refusal(["exp": "0", "iat": nil]) == .expired)
        let strict = rules { $0.leewaySeconds = 0 }
        #expect(try refusal([:], rules: strict, now: now + 3599) == nil)
        #expect(try refusal([:], rules: strict, now: now + 3600) == .expired)
    }

    @Test func notBefore() throws {
        #expect(try refusal(["nbf": "\(now)"]) == nil)
        #expect(try refusal(["nbf": "\(now + 30)"]) == nil)
        #expect(try refusal(["nbf": "\(now + 31)"]) == .notYetValid)
    }

    @Test func issuedInFuture() throws {
        #expect(try refusal(["iat": "\(now + 30)"]) == nil)
        #expect(try refusal(["iat": "\(now + 31)"]) == .issuedInFuture)
    }

    @Test(arguments: ["exp", "nbf", "iat"])
    func timesAreNumbers(name: String) throws {
        for value in [
            "null", "true", "false", #""""#, #""1800003600""#, "[]", "[1800003600]", "{}",
            "-1", "-0", "-1800003600", "-0.5", "-1e-400", "-1e400", "1e400", "1" + String(repeating: "0", count: 400),
            "253402300800", "253402300800.0", "1e300", "9223372036854775807", "9223372036854775808", "1e19",
            "18446744073709551616", "9" + String(repeating: "9", count: 3000) + ".5",
        ] {
            #expect(try refusal([name: value]) == .malformedClaim(name), "\(name) = \(value.prefix(40))")
        }
    }

    @Test func decimalTimes() throws {
        let decimal = try claims(["exp": "\(now + 3600).9", "iat": "\(now).75", "nbf": "1.8e9"])
        #expect(decimal.expiresAt == now + 3600)
        #expect(decimal.issuedAt == now)
        #expect(try claims(["exp": "18000036E2"]).expiresAt == now + 3600)
        #expect(try refusal(["iat": "0.0"], rules: rules { $0.maxLifetimeSeconds = .max }) == nil)
        #expect(try refusal(["nbf": "0." + String(repeating: "1", count: 3000)]) == nil)
    }

    @Test func lifetime() throws {
        #expect(try refusal(["exp": "\(now + 90000)"]) == nil)
        #expect(try refusal(["exp": "\(now + 90001)"]) == .lifetimeTooLong)
        #expect(try refusal(["iat": "\(now - 86400)", "exp": "\(now + 3600)"]) == nil)
        #expect(try refusal(["iat": "\(now - 86401)", "exp": "\(now + 3600)"]) == .lifetimeTooLong)
        #expect(try refusal(["iat": nil, "exp": "\(now + 90030)"]) == nil)
        #expect(try refusal(["iat": nil, "exp": "\(now + 90031)"]) == .lifetimeTooLong)
        #expect(try refusal(["iat": "0", "exp": "253402300799"]) == .lifetimeTooLong)
    }

    @Test func revocationByTimeOfIssue() throws {
        let since = rules { $0.notBefore = TestTokens.now - 100 }
        #expect(try refusal(["iat": "\(now - 100)"], rules: since) == nil)
        #expect(try refusal(["iat": "\(now - 101)"], rules: since) == .revoked)
        #expect(try refusal(["iat": "\(now - 101).99"], rules: since) == .revoked)
    }

    @Test func revocationWithoutTimeOfIssue() throws {
        let since = rules { $0.notBefore = TestTokens.now - 100 }
        #expect(try refusal(["iat": nil, "exp": "\(now - 100 + 90000)"], rules: since) == nil)
        #expect(try refusal(["iat": nil, "exp": "\(now - 101 + 90000)"], rules: since) == .revoked)
    }

    @Test func extremeSettingsAndClocksDoNotTrap() throws {
        let extremes: [Int64] = [.min, -1, 0, 1, .max]
        for leeway in extremes {
            for lifetime in extremes {
                for notBefore in extremes {
                    let extreme = rules {
                        $0.leewaySeconds = leeway
                        $0.maxLifetimeSeconds = lifetime
                        $0.notBefore = notBefore
                    }
                    for clock in extremes {
                        _ = try refusal([:], rules: extreme, now: clock)
                        _ = try refusal(["iat": nil, "nbf": "0"], rules: extreme, now: clock)
                    }
                }
            }
        }
        let open = rules {
            $0.leewaySeconds = .max
            $0.maxLifetimeSeconds = .max
            $0.notBefore = .min
        }
        #expect(try refusal(["exp": "253402300799"], rules: open, now: .max - 1) == nil)
        let closed = rules { $0.notBefore = .max }
        #expect(try refusal([:], rules: closed) == .revoked)
        #expect(try refusal(["iat": nil], rules: closed) == .revoked)
    }

    // MARK: issuer and audience

    @Test func issuer() throws {
        let configured = rules { $0.issuer = "https://issuer.example/Kim" }
        #expect(try refusal(["iss": #""https://issuer.example/Kim""#], rules: configured) == nil)
        #expect(try refusal([:], rules: configured) == .missingClaim("iss"))
        for wrong in [
            #""https://issuer.example/""#, #""https://issuer.example/kim""#, #""https://issuer.example/Kim ""#,
            #""https://issuer.example/\u212aim""#, #""""#, "null", "1", #"["https://issuer.example/Kim"]"#, "{}",
        ] {
            #expect(try refusal(["iss": wrong], rules: configured) == .issuer)
        }
        #expect(try refusal(["iss": #""anybody""#]) == nil)
    }

    @Test func audience() throws {
        let configured = rules { $0.audience = "sync" }
        for right in [#""sync""#, #"["sync"]"#, #"["other","sync"]"#] {
            #expect(try refusal(["aud": right], rules: configured) == nil)
        }
        #expect(try refusal([:], rules: configured) == .missingClaim("aud"))
        for wrong in [#""Sync""#, #""sync ""#, #""""#, "[]", #"["other"]"#, #"["sync,other"]"#] {
            #expect(try refusal(["aud": wrong], rules: configured) == .audience)
        }
        for malformed in [
            "null", "1", "true", "{}", #"{"sync":true}"#, #"["sync",1]"#, #"[["sync"]]"#, #"["sync",null]"#,
        ] {
            #expect(try refusal(["aud": malformed], rules: configured) == .malformedClaim("aud"))
        }
        #expect(try refusal(["aud": #""anybody""#]) == nil)
    }

    // MARK: the user

    @Test func userOfAnExistingIssuer() throws {
        let existing = rules {
            $0.userClaim = "id"
            $0.nameClaim = "username"
        }
        let verified = try claims(["sub": nil, "id": "42", "username": #""Ana""#, "iat": nil], rules: existing)
        #expect(verified.user == "42")
        #expect(verified.name == "Ana")
        #expect(verified.issuedAt == nil)
        #expect(try refusal([:], rules: existing) == .missingClaim("id"))
    }

    @Test(arguments: [
        (#""a""#, "a"), (#""Ana Bé 😀""#, "Ana Bé 😀"), ("7", "7"), ("0", "0"), ("-3", "-3"),
        ("9223372036854775807", "9223372036854775807"),
    ])
    func users(value: String, user: String) throws {
        #expect(try Array(claims(["sub": value]).user.utf8) == Array(user.utf8))
    }

    @Test func userIsBoundedInBytes() throws {
        #expect(try claims(["sub": "\"" + String(repeating: "é", count: 128) + "\""]).user.utf8.count == 256)
        #expect(try refusal(["sub": "\"" + String(repeating: "é", count: 128) + "a\""]) == .malformedClaim("sub"))
    }

    @Test func otherUsersAreRefused() throws {
        #expect(try refusal(["sub": nil]) == .missingClaim("sub"))
        for value in [
            #""""#, "null", "true", "1.0", "1e3", "-0", "9223372036854775808", "[]", #"["ana"]"#, #"{"id":1}"#,
            #""a\u0000""#, #""a\nb""#, #""\u001b[31m""#, #""a\u007f""#, #""a\u0085b""#, #""\u009b31m""#,
            // Format characters and separators: turned around, broken in lines, or not to be seen.
            #""a\u202eb""#, #""a\u2028b""#, #""a\u2029b""#, #""a\u200bb""#, #""a\u00adb""#, #""\ufeffa""#, #""a\udb40\udc41""#,
        ] {
            #expect(try refusal(["sub": value]) == .malformedClaim("sub"), "sub = \(value)")
        }
    }

    @Test func readableName() throws {
        #expect(try claims([:]).name == nil)
        #expect(try claims(["name": #""Ana""#]).name == "Ana")
        #expect(try claims(["name": "\"" + String(repeating: "x", count: 256) + "\""]).name?.utf8.count == 256)
        for value in ["null", "1", "true", "[]", "{}", "\"" + String(repeating: "x", count: 257) + "\""] {
            #expect(try refusal(["name": value]) == .malformedClaim("name"))
        }
    }

    /// It is for show only: what a user may not have is replaced, and keeps nobody out.
    @Test(arguments: [
        (#""a\nb""#, "a\u{FFFD}b"), (#""a\u202eb\u200b\u2028c\u2029""#, "a\u{FFFD}b\u{FFFD}\u{FFFD}c\u{FFFD}"),
        (#""Ana\u00a0Bé 😀""#, "Ana\u{A0}Bé 😀"),
    ])
    func aReadableNameHoldsNothingThatIsNotSeen(value: String, name: String) throws {
        #expect(try Array(claims(["name": value]).name?.utf8 ?? "".utf8) == Array(name.utf8))
    }

    // MARK: roles

    @Test(
        arguments: [
            (nil, []), (#""admin""#, ["admin"]), (#""""#, [""]), (#"["run","admin"]"#, ["run", "admin"]), ("[]", []),
            ("null", []), ("true", []), ("1", []), (#"{"admin":true}"#, []), (#"["admin",1]"#, []),
            (#"["admin",null]"#, []), (#"[["admin"]]"#, []), (#""admin,run""#, ["admin,run"]),
        ] as [(String?, [String])])
    func roles(value: String?, roles: [String]) throws {
        #expect(try claims(["role": value]).roles == roles)
    }

    @Test(arguments: [
        #""Admin""#, #""admin ""#, #"" admin""#, #""ADMIN""#, #""admin\u0000""#, #""admin\n""#, #""аdmin""#,
        #"{"admin":true}"#, #"["Admin","admin "]"#, #""admin,run""#, #""""#, "true", #"["admin",{}]"#,
    ])
    func notAdmin(value: String) throws {
        #expect(!(try claims(["role": value]).hasRole("admin")))
    }

    @Test func rolesAndUsersAreBytes() throws {
        #expect(try claims(["role": #""admin""#]).hasRole("admin"))
        #expect(!(try claims(["role": #""\u212a8s""#]).hasRole("K8s")))
        #expect(try claims(["sub": #""Kim""#]).isUser(in: ["Ana", "Kim"]))
        #expect(!(try claims(["sub": #""\u212aim""#]).isUser(in: ["Ana", "Kim"])))
        #expect(!(try claims(["sub": #""kim""#]).isUser(in: ["Kim"])))
    }

    @Test func configuredRoleClaim() throws {
        let configured = rules { $0.roleClaim = "https://example.com/roles" }
        let verified = try claims(["role": #""admin""#, "https://example.com/roles": #"["run"]"#], rules: configured)
        #expect(verified.roles == ["run"])
    }
}
