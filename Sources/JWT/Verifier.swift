import JSON
import OpenSSL

/// Verifies tokens (RFC 7519, section 7.2; RFC 8725).
package struct Verifier: Sendable {
    private let rules: Rules
    /// The secret, and the previous one. They are prepared here because that takes longer than verifying a token.
    private let keys: Result<[HMAC.Key], TokenError>

    package init(rules: Rules) {
        self.rules = rules
        keys = Result { () throws(TokenError) in
            var keys = [try rules.algorithm.key(rules.secret)]
            if let previous = rules.previousSecret { keys.append(try rules.algorithm.key(previous)) }
            return keys
        }
    }

    /// The claims of a token that satisfies every rule. No claim is decoded before the signature is verified.
    ///
    /// - Parameters:
    ///   - token: the text behind `Bearer `, which anybody may have written.
    ///   - now: seconds since 1970.
    /// - Throws: `TokenError`, the first reason found.
    package func verify(_ token: String, now: Int64) throws(TokenError) -> Claims {
        let compact = try CompactToken(token)
        try compact.checkHeader(algorithm: rules.algorithm)
        try checkSignature(compact)
        let payload = try compact.parseClaims()
        return try rules.check(payload, now: now, fingerprint: Fingerprint.of(token))
    }

    private func checkSignature(_ token: CompactToken) throws(TokenError) {
        var isOurs = false
        for key in try keys.get() {
            let code: [UInt8]
            do { code = try key.authenticate(token.signedBytes) } catch { throw .openSSL(error) }
            // Both secrets are always tried, so that the time does not reveal which one matched.
            let matches = ConstantTime.equal(code, token.signature)
            isOurs = isOurs || matches
        }
        guard isOurs else { throw .signature }
    }
}

extension Algorithm {
    /// A secret as a key.
    /// - Throws: `TokenError.secretTooShort` or `.openSSL`.
    func key(_ secret: [UInt8]) throws(TokenError) -> HMAC.Key {
        // The settings refuse short secrets at start. This check protects against a caller that forgot: with an empty
        // secret, anybody can sign.
        guard secret.count >= minimumSecretBytes else { throw .secretTooShort }
        do { return try HMAC.Key(secret, hash: hash) } catch { throw .openSSL(error) }
    }
}
