import JWT
import Linux

/// Verifies a request's bearer token and decides whether it has a role. Tokens are accepted in the Authorization header
/// only (RFC 6750 section 2.1), because a token in a query or a body would end up in logs.
///
/// A class, because every request takes the current one: one reference instead of a copy of all rules.
package final class Authenticator: Sendable {
    private let verifier: Verifier
    private let access: AccessRules

    package init(rules: Rules, access: AccessRules) {
        verifier = Verifier(rules: rules)
        self.access = access
    }

    /// The claims of the token in a request.
    /// - Parameter authorization: the value of the field Authorization; nil without it.
    /// - Throws: ``RequestError/unauthorized(refused:)``.
    package func claims(_ authorization: String?) throws(RequestError) -> Claims {
        guard let header = authorization else { throw .unauthorized(refused: nil) }
        let bytes = header.utf8
        guard let blank = bytes.firstIndex(of: UInt8(ascii: " ")), header[..<blank].lowercased() == "bearer" else {
            throw .unauthorized(refused: nil)
        }
        let token = String(header[bytes.index(after: blank)...])
        let claims: Claims
        do {
            claims = try verifier.verify(token, now: Clock.wallMilliseconds() / 1000)
        } catch {
            throw .unauthorized(refused: TokenRefusal(error))
        }
        guard !access.isDenied(claims) else { throw .unauthorized(refused: .deniedUser) }
        return claims
    }

    /// - Throws: ``RequestError/forbidden`` if the token does not have the role.
    func authorize(_ claims: Claims, for role: Role) throws(RequestError) {
        let allowed =
            switch role {
            case .user: true
            case .runner: access.mayRun(claims)
            case .admin: access.isAdmin(claims)
            }
        guard allowed else { throw .forbidden }
    }
}
