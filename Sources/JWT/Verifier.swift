import JSON
import OpenSSL

/// Verifies tokens (RFC 7519, section 7.2; RFC 8725).
package struct Verifier: Sendable {
    private let rules: Rules

    package init(rules: Rules) {
        self.rules = rules
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
        for secret in [rules.secret, rules.previousSecret].compactMap({ $0 }) {
            let code = try rules.algorithm.authenticate(token.signedBytes, secret: secret)
            // Both secrets are always tried, so that the time does not reveal which one matched.
            let matches = ConstantTime.equal(code, token.signature)
            isOurs = isOurs || matches
        }
        guard isOurs else { throw .signature }
    }
}

extension Algorithm {
    /// The signature of a message.
    /// - Throws: `TokenError.secretTooShort` or `.openSSL`.
    func authenticate(_ message: [UInt8], secret: [UInt8]) throws(TokenError) -> [UInt8] {
        // The settings refuse short secrets at start. This check protects against a caller that forgot: with an empty
        // secret, anybody can sign.
        guard secret.count >= minimumSecretBytes else { throw .secretTooShort }
        do {
            return try HMAC.authenticate(message, key: secret, hash: hash)
        } catch {
            throw .openSSL(error)
        }
    }
}
