import HTTPTypes

/// One row of the table of routes: a method, a path, and who may use them.
///
/// To add an endpoint, write a handler that takes a ``RequestContext`` and returns a response or throws a
/// ``RequestError``, and add a row with it to `SyncService/Routes`. The tests read the table, so a new row is tested at
/// once for tokens, roles, methods, HEAD, OPTIONS and CORS.
package struct Route: Sendable {
    package let method: HTTPRequest.Method
    /// `{id}` stands for a number from 1 on. A path has at most one.
    package let path: String
    /// The role that a token must have. nil: the route needs no token.
    package let role: Role?
    /// Whether a token is checked although the route needs none, because a valid one gets a longer answer.
    package let readsToken: Bool
    /// Whether the handler reads the request's body. Other bodies are discarded as they arrive.
    package let readsBody: Bool

    package init(_ method: HTTPRequest.Method, _ path: String, _ role: Role?, readsToken: Bool = false, readsBody: Bool = false) {
        self.method = method
        self.path = path
        self.role = role
        self.readsToken = readsToken
        self.readsBody = readsBody
    }

    /// The row as a line of text: method, path, role or `-`, `body` or `-`.
    package var line: String { "\(method.rawValue) \(path) \(role?.rawValue ?? "-") \(readsBody ? "body" : "-")" }
}
