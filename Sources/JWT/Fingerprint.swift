import OpenSSL

/// Identifies a token in the history, which never contains the token itself.
package enum Fingerprint {
    /// The first 16 hexadecimal digits of the SHA-256 of the token's text. The token need not be valid.
    /// - Throws: `TokenError.openSSL`.
    package static func of(_ token: String) throws(TokenError) -> String {
        let digest: [UInt8]
        do {
            digest = try SHA256.digest(Array(token.utf8))
        } catch {
            throw .openSSL(error)
        }
        return digest.prefix(8).map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
