import HTTPTypes
import Testing

@testable import HTTPServer
@testable import SyncService

@Suite struct RoutesTests {
    private let routes = Routes.table.map(\.route)

    /// The second of two such rows would never be reached.
    @Test func noTwoRowsHaveTheSameMethodAndPath() {
        let rows = routes.map { "\($0.method.rawValue) \($0.path)" }
        #expect(Set(rows).count == rows.count, "\(rows)")
    }

    @Test func aRequestMatchesAtMostOneRow() {
        for route in routes {
            let path = route.path.replacing("{id}", with: "7")
            let matching = routes.filter { $0.method == route.method && PathPattern($0.path).match(path) != nil }
            #expect(matching.map(\.path) == [route.path])
        }
    }

    @Test func pathsAreInAFormThatPatternsUnderstand() {
        for route in routes {
            #expect(route.path.hasPrefix("/") && !route.path.hasSuffix("/"))
            #expect(route.path.ranges(of: "{id}").count <= 1)
            #expect(!route.path.replacing("{id}", with: "").contains { "{}%?#".contains($0) })
        }
    }

    @Test func everythingUnderAdminIsForAdministrators() {
        for route in routes { #expect(route.path.hasPrefix("/admin") == (route.role == .admin), "\(route.path)") }
    }

    @Test func aRowIsPrintedAsOneLine() {
        #expect(Route(.post, "/a/{id}", .admin, readsBody: true).line == "POST /a/{id} admin body")
        #expect(Route(.get, "/b", nil).line == "GET /b - -")
    }
}
