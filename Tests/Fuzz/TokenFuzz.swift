import Encoding
import JSON
import JWT
import OpenSSL

private let secret = Array("a secret of sixty-four bytes, long enough for each of the three!".utf8)
private let now: Int64 = 1_800_000_000
private let verifier = Verifier(rules: Rules(secret: secret))
private let strict = Verifier(rules: Rules(secret: secret, issuer: "https://id.example", audience: "sync", notBefore: now - 100))

/// Tokens and what is in them. No fuzzer guesses a MAC, so the first byte says how much of the token is its own and
/// how much is signed for it.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = array(data, size)
    guard let kind = bytes.first else { return 0 }
    let rest = bytes.dropFirst()
    let halves = rest.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    let token: String
    switch kind & 3 {
    case 0: token = String(decoding: rest, as: UTF8.self)
    case 1: token = signed(#"{"alg":"HS256","typ":"JWT"}"#.utf8.encoded, Array(rest).encoded)
    case 2 where halves.count == 2: token = signed(Array(halves[0]).encoded, Array(halves[1]).encoded)
    default:
        // Segments as they are: what is signed need not be base64url.
        let parts = rest.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return 0 }
        token = signed(String(decoding: parts[0], as: UTF8.self), String(decoding: parts[1], as: UTF8.self))
    }
    if let claims = try? verifier.verify(token, now: now) {
        hold(kind & 3 != 0, "a token nobody signed was accepted: \(token)")
        hold(!claims.user.isEmpty && claims.user.utf8.count <= 256, "a user of \(claims.user.utf8.count) bytes")
        hold(claims.expiresAt > now - 31 && claims.expiresAt <= now + 90030 + 30, "accepted until \(claims.expiresAt)")
        hold(claims.fingerprint.utf8.count == 16, "fingerprint \(claims.fingerprint)")
        hold(token.utf8.count <= 8192, "a token of \(token.utf8.count) bytes")
        for segment in token.split(separator: ".") {
            hold(Base64.url.decode(segment.utf8).map(Base64.url.encode) == String(segment), "a second spelling of a token: \(token)")
        }
    }
    if let claims = try? strict.verify(token, now: now) {
        hold((try? verifier.verify(token, now: now)) == claims, "stricter rules accept more")
    }
    return 0
}

private func signed(_ header: String, _ payload: String) -> String {
    let text = header + "." + payload
    guard let code = try? HMAC.authenticate(Array(text.utf8), key: secret, hash: .sha256) else { return text }
    return text + "." + Base64.url.encode(code)
}

extension Collection<UInt8> {
    fileprivate var encoded: String { Base64.url.encode(Array(self)) }
}
