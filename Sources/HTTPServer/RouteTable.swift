import HTTPFraming
import HTTPTypes
import NIOCore

/// All routes with their handlers. Each route's path is parsed once; a request's path is only compared, byte by byte.
package struct RouteTable: Sendable {
    /// What a handler does on the connection's event loop.
    package enum Answer {
        case now(Response)
        /// The future must be of the request's event loop (``RequestContext/eventLoop``).
        case later(EventLoopFuture<Response>)
    }

    /// Answers a request whose token has the route's role. It throws a ``RequestError``; any other error is answered 500,
    /// unless ``Responder`` is told otherwise.
    package enum Handler: Sendable {
        /// Is called on the connection's event loop, which serves many connections: it must not block.
        case onEventLoop(@Sendable (RequestContext) throws -> Answer)
        /// May wait. Its task goes on when the client leaves.
        case inTask(@Sendable (RequestContext) async throws -> Response)

        func callAsFunction(_ context: RequestContext) throws -> Answer {
            switch self {
            case .onEventLoop(let answer): try answer(context)
            case .inTask(let answer): .later(context.eventLoop.makeFutureWithTask { try await answer(context) })
            }
        }
    }

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

    /// The row for a request; nil if its path or its method is not offered. A route for GET serves HEAD as well.
    /// - Parameter path: without the query.
    func match(_ method: String, _ path: String) -> Match? {
        let wanted = method == HTTPRequest.Method.head.rawValue ? HTTPRequest.Method.get.rawValue : method
        for entry in entries where entry.route.method.rawValue == wanted {
            if let id = entry.pattern.match(path) { return Match(route: entry.route, handler: entry.handler, id: id) }
        }
        return nil
    }

    /// The methods of a path, with HEAD and OPTIONS.
    func methods(_ matches: [Match]) -> [HTTPRequest.Method] {
        matches.flatMap { $0.route.method == .get ? [.get, .head] : [$0.route.method] } + [.options]
    }
}
