import HTTPTypes
import Testing

@testable import HTTPServer

@Suite struct CORSPolicyTests {
    private let policy = CORSPolicy(origins: ["https://app.example"], exposedHeaders: [.retryAfter, .location])

    @Test func anAllowedOriginMayRead() {
        let headers = policy.headers(origin: "https://app.example", path: "/sync/run")
        #expect(headers[.accessControlAllowOrigin] == "https://app.example")
        #expect(headers[.accessControlExposeHeaders] == "Retry-After, Location")
        #expect(headers[.vary] == "Origin")
        #expect(headers[.accessControlAllowCredentials] == nil)
    }

    @Test(arguments: [nil, "null", "https://app.example/", "https://app.example:443", "https://APP.example", "https://app.exa\u{300}mple", ""])
    func otherOriginsGetOnlyWhatCachesNeed(origin: String?) {
        #expect(policy.headers(origin: origin, path: "/sync/run") == [.vary: "Origin"])
        #expect(policy.preflightHeaders(origin: origin, path: "/sync/run", methods: [.post]) == [.vary: "Origin"])
    }

    @Test(arguments: ["/admin", "/admin/runs", "/administration"])
    func theAdministrationIsClosedToPages(path: String) {
        #expect(policy.headers(origin: "https://app.example", path: path).isEmpty)
        #expect(policy.preflightHeaders(origin: "https://app.example", path: path, methods: [.get]).isEmpty)
    }

    @Test func aPreflightNamesTheMethodsOfThePath() {
        let headers = policy.preflightHeaders(origin: "https://app.example", path: "/sync/run", methods: [.post, .options])
        #expect(headers[.accessControlAllowMethods] == "POST, OPTIONS")
        #expect(headers[.accessControlAllowHeaders] == "Authorization, Content-Type, Accept, Prefer")
        #expect(headers[.accessControlMaxAge] == "600")
    }

    @Test func withoutOriginsThereAreNoHeaders() {
        #expect(CORSPolicy(origins: []).headers(origin: "https://app.example", path: "/sync/run").isEmpty)
    }
}
