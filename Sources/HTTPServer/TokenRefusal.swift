import JWT

/// Why a token was refused: a word for the audit log and a sentence for the operator's log. Neither contains anything that
/// the client sent.
package struct TokenRefusal: Sendable {
    /// All reasons of an entry `auth_failed`.
    package enum Reason: String, CaseIterable, Sendable {
        case malformed
        case algorithm
        case signature
        case claims
        case expired
        case notYetValid = "not_yet_valid"
        case lifetime
        case issuer
        case audience
        case revoked
        case deniedUser = "denied_user"
        case failure

        /// What is wrong with the token, for the table in security/AUDIT_FORMAT.md; `make audit-format` writes it.
        package var explanation: String {
            switch self {
            case .malformed: "is not a token, or its header is not valid"
            case .algorithm: "is signed by another algorithm than the configured one"
            case .signature: "is not signed by our secret"
            case .claims: "lacks a claim, or one has a wrong type or value, such as a user with control characters"
            case .expired: "has expired"
            case .notYetValid: "is not valid yet, or was issued in the future"
            case .lifetime: "lives longer than `JWT_MAX_LIFETIME_SECONDS`"
            case .issuer: "is of another issuer"
            case .audience: "is for another audience"
            case .revoked: "was issued before `JWT_NOT_BEFORE`"
            case .deniedUser: "is of a user in `DENY_USERS`"
            case .failure: "could not be checked, because the library failed"
            }
        }
    }

    package let reason: Reason
    let description: String

    init(_ error: TokenError) {
        description = "\(error)"
        reason =
            switch error {
            case .tooLong, .segmentCount, .encoding, .header, .headerNotObject, .type, .headerParameter: .malformed
            case .algorithm: .algorithm
            case .signature: .signature
            case .claims, .claimsNotObject, .missingClaim, .malformedClaim: .claims
            case .expired: .expired
            case .notYetValid, .issuedInFuture: .notYetValid
            case .lifetimeTooLong: .lifetime
            case .issuer: .issuer
            case .audience: .audience
            case .revoked: .revoked
            case .secretTooShort, .openSSL: .failure
            }
    }

    private init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
    }

    static let deniedUser = TokenRefusal(.deniedUser, "its user is in DENY_USERS")
}
