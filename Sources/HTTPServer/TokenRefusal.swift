import JWT

/// Why a token was refused: a word for the audit log and a sentence for the operator's log. Neither contains anything that
/// the client sent.
package struct TokenRefusal: Sendable {
    /// All reasons of `auth_failed`. security/AUDIT_FORMAT.md explains each.
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
