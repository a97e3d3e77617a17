import Encoding
import OpenSSL

/// Identifies a token in the history, which never contains the token itself.
package enum Fingerprint {
    /// The first 16 hexadecimal digits of the SHA-256 of the token's text. The token need not be valid.
    package static func of(_ token: String) -> String {
        let digest = SHA256.hash(Array(token.utf8))
        return Hex.text((0..<8).map { digest[$0] })
    }
}
