import HTTPTypes

/// One row of the table that says what is offered, and to whom.
package struct Route: Sendable {
    package let method: HTTPRequest.Method
    /// `{id}` stands for a number from 1 on. A path has one at most.
    package let path: String
    /// Whom a token must name; nil: no token is asked for.
    package let role: Role?
    /// Whether a token, which nobody has to send, gets more of an answer.
    package let readsToken: Bool
    /// Whether the handler reads the request's body. Bodies for all others are discarded as they come.
    package let readsBody: Bool

    package init(_ method: HTTPRequest.Method, _ path: String, _ role: Role?, readsToken: Bool = false, readsBody: Bool = false) {
        self.method = method
        self.path = path
        self.role = role
        self.readsToken = readsToken
        self.readsBody = readsBody
    }
}
