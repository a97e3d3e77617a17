/// The claims of a verified token. Only `Verifier` makes them.
package struct Claims: Sendable, Equatable {
    /// Not empty, at most 256 bytes, without control, format, line and paragraph separator characters. An integer in the
    /// token becomes its decimal digits.
    package let user: String
    /// The user's readable name, at most 256 bytes in the token; it may be empty. Each character that `user` may not contain
    /// is replaced by U+FFFD.
    package let name: String?
    /// All roles, as in the token. Compare with `hasRole`.
    package let roles: [String]
    /// Seconds since 1970.
    package let expiresAt: Int64
    /// Seconds since 1970.
    package let issuedAt: Int64?
    /// The first 16 hexadecimal digits of the token's SHA-256.
    package let fingerprint: String

    /// Whether the token has this role, byte by byte. `==` is not exact enough for access, because it follows canonical
    /// equivalence: for it, the Kelvin sign equals "K".
    package func hasRole(_ role: String) -> Bool {
        roles.contains { $0.utf8.elementsEqual(role.utf8) }
    }

    /// Whether the user is one of these, byte by byte.
    package func isUser(in users: [String]) -> Bool {
        users.contains { $0.utf8.elementsEqual(user.utf8) }
    }
}
