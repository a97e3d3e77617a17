import HTTPTypes
import HummingbirdCore

/// All routes with their handlers. Each route's path is parsed once; a request's path is only compared, byte by byte.
package struct RouteTable: Sendable {
    /// Answers a request whose token has the route's role. It returns the response, or throws a ``RequestError``; any other
    /// error is answered 500, unless ``Responder`` is told otherwise.
    package typealias Handler = @Sendable (RequestContext) async throws -> Response

    /// A route whose path matches a request's.
    struct Match {
        let route: Route
        let handler: Handler
        /// The number in the place of `{id}`; 0 without one.
        let id: Int64
    }

    private struct Entry {
        let route: Route
        let pattern: PathPattern
        let handler: Handler
    }

    private let entries: [Entry]

    package init(_ routes: [(route: Route, handler: Handler)]) {
        entries = routes.map { Entry(route: $0.route, pattern: PathPattern($0.route.path), handler: $0.handler) }
    }

    /// All rows with this path: one for each method.
    /// - Parameter path: without the query.
    func matches(_ path: String) -> [Match] {
        entries.compactMap { entry in
            entry.pattern.match(path).map { Match(route: entry.route, handler: entry.handler, id: $0) }
        }
    }

    /// The methods of a path, with HEAD and OPTIONS.
    func methods(_ matches: [Match]) -> [HTTPRequest.Method] {
        matches.flatMap { $0.route.method == .get ? [.get, .head] : [$0.route.method] } + [.options]
    }
}
