import HummingbirdCore
import JWT
import Logging

/// One request that passed the listener.
package struct RequestContext: Sendable {
    package let request: Request
    /// nil on routes that ask for no token.
    package let claims: Claims?
    /// Whether the token is an administrator's; false on routes that ask for no token.
    package let isAdmin: Bool
    /// The numbers that stand in the path where the route has `{id}`.
    package let id: Int64
    package let sourceIP: String?
    package let requestID: String
    package let logger: Logger

    /// For the log; on routes that ask for no token nobody.
    package var user: String { claims?.user ?? "" }
}
