/// What a verified token says. Only `Verifier` makes one.
package struct Claims: Sendable, Equatable {
    /// Not empty, at most 256 bytes, without control, format, line and paragraph separator characters. An integer in the
    /// token is here in decimal.
    package let user: String
    /// The user's readable name, at most 256 bytes in the token; it may be empty. Each character that a user may not have is
    /// U+FFFD here.
    package let name: String?
    /// Every role, as the token has it. Ask with `hasRole`.
    package let roles: [String]
    /// Seconds since 1970.
    package let expiresAt: Int64
    /// Seconds since 1970.
    package let issuedAt: Int64?
    /// The first 16 hexadecimal digits of the token's SHA-256.
    package let fingerprint: String

    /// Whether one of the roles is this one, byte by byte. Comparing strings by `==` is not exact enough for
    /// access: it follows canonical equivalence and takes the Kelvin sign for "K".
    package func hasRole(_ role: String) -> Bool {
        roles.contains { $0.utf8.elementsEqual(role.utf8) }
    }

    /// Whether the user is one of these, byte by byte, for the same reason.
    package func isUser(in users: [String]) -> Bool {
        users.contains { $0.utf8.elementsEqual(user.utf8) }
    }
}
