import OpenSSL

/// The signature algorithms of RFC 7518, section 3.2, by their names in a token's header.
package enum Algorithm: String, Sendable, CaseIterable {
    case HS256, HS384, HS512

    /// The minimum length of a secret: that of the hash's output (RFC 7518, section 3.2).
    package var minimumSecretBytes: Int { hash.byteCount }

    var hash: HMAC.Hash {
        switch self {
        case .HS256: .sha256
        case .HS384: .sha384
        case .HS512: .sha512
        }
    }
}
