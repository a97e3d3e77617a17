/// A request that was refused for its token, to be recorded.
package struct RefusedRequest: Sendable {
    package enum Reason: Sendable {
        /// The token was refused.
        case token(TokenRefusal)
        /// The token is good and does not reach so far.
        /// - Parameter path: the route's.
        case role(path: String)
    }

    package let reason: Reason
    /// nil for a token that was refused: nothing in it is to be believed.
    package let user: String?
    package let tokenFingerprint: String?
    package let sourceIP: String?
    package let requestID: String
}
