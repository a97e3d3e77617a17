import HTTPTypes
import HummingbirdCore

/// All routes with their handlers. Paths are taken apart once, here; a request's path is only compared.
package struct RouteTable: Sendable {
    package typealias Handler = @Sendable (RequestContext) async throws -> Response

    /// A route that a path leads to.
    struct Match {
        let route: Route
        let handler: Handler
        /// The number that stands for `{id}`, 0 without one.
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

    /// - Parameter path: without the query.
    func matches(_ path: String) -> [Match] {
        entries.compactMap { entry in
            entry.pattern.match(path).map { Match(route: entry.route, handler: entry.handler, id: $0) }
        }
    }

    /// The methods that a path offers, HEAD and OPTIONS included.
    func methods(_ matches: [Match]) -> [HTTPRequest.Method] {
        matches.flatMap { $0.route.method == .get ? [.get, .head] : [$0.route.method] } + [.options]
    }
}

/// A route's path, ready to be compared with those of requests byte by byte.
struct PathPattern: Sendable {
    private static let mark = "{id}"

    private let before: [UInt8]
    /// What follows the number; nil for a path without one.
    private let after: [UInt8]?

    init(_ path: String) {
        let mark = path.firstRange(of: Self.mark)
        before = Array(path[..<(mark?.lowerBound ?? path.endIndex)].utf8)
        after = mark.map { Array(path[$0.upperBound...].utf8) }
    }

    /// - Returns: nil where the path is another; otherwise the number that stands for `{id}`, 0 without one.
    func match(_ path: String) -> Int64? {
        let path = path.utf8
        guard path.starts(with: before) else { return nil }
        var rest = path.dropFirst(before.count)
        guard let after else { return rest.isEmpty ? 0 : nil }
        // One spelling for each number: no sign, no leading zeros.
        guard let first = rest.first, (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(first) else { return nil }
        var id: Int64 = 0
        while let digit = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) {
            let (tens, isTooLarge) = id.multipliedReportingOverflow(by: 10)
            let (sum, isBeyond) = tens.addingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
            guard !isTooLarge, !isBeyond else { return nil }
            id = sum
            rest.removeFirst()
        }
        return rest.elementsEqual(after) ? id : nil
    }
}
