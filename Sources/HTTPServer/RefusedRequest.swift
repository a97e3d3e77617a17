/// A request that was refused because of its token, for the audit log.
package struct RefusedRequest: Sendable {
    package enum Reason: Sendable {
        /// The token is not valid.
        case token(TokenRefusal)
        /// The token is valid, but its user may not use the route.
        /// - Parameter path: the route's.
        case role(path: String)
    }

    package let reason: Reason
    /// nil if the token is not valid, because then nothing in it can be believed.
    package let user: String?
    package let tokenFingerprint: String?
    package let sourceIP: String?
    package let requestID: RequestID
}
