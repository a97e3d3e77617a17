import Encoding
import JSON
import JWT
import OpenSSL

/// Tokens made by hand: any text as header or payload, under a good signature.
enum TestTokens {
    static let now: Int64 = 1_800_000_000
    static let secret = Array("a secret of sixty-four bytes, long enough for each of the three!".utf8)
    static let otherSecret = Array("another secret of sixty-four bytes, just as long as the former!!".utf8)
    static let header = #"{"alg":"HS256","typ":"JWT"}"#

    /// The members of a payload that is accepted, each as JSON text; nil leaves one out.
    static func payload(_ changes: KeyValuePairs<String, String?> = [:]) -> String {
        var members: [(name: String, value: String?)] = [
            ("sub", "\"ana\""), ("iat", "\(now)"), ("exp", "\(now + 3600)"),
        ]
        for (name, value) in changes {
            if let index = members.firstIndex(where: { $0.name == name }) {
                members[index].value = value
            } else {
                members.append((name, value))
            }
        }
        let present = members.compactMap { member in member.value.map { "\"\(member.name)\":\($0)" } }
        return "{" + present.joined(separator: ",") + "}"
    }

    static func token(header: String = header, payload: String = payload()) throws -> String {
        try sign(Base64.url.encode(Array(header.utf8)), Base64.url.encode(Array(payload.utf8)))
    }

    /// Signs two segments as they are, whatever they hold.
    static func sign(
        _ header: String, _ payload: String, secret: [UInt8] = secret, hash: HMAC.Hash = .sha256
    ) throws -> String {
        let signed = header + "." + payload
        let code = try HMAC.authenticate(Array(signed.utf8), key: secret, hash: hash)
        return signed + "." + Base64.url.encode(code)
    }

    /// Why this token is refused; nil when it is accepted.
    static func refusal(of token: String, rules: Rules = Rules(secret: secret), now: Int64 = now) -> TokenError? {
        do {
            _ = try Verifier(rules: rules).verify(token, now: now)
            return nil
        } catch {
            return error
        }
    }
}
