import HTTPTypes

/// Which web pages of other origins may call the documented endpoints (Fetch standard, CORS protocol). Never under
/// /admin, never for `null`.
package struct CORSPolicy: Sendable {
    private let origins: [String]

    /// - Parameter origins: exact origins such as `https://app.example`.
    package init(origins: [String]) { self.origins = origins }

    /// The headers that go with an answer, errors included: without them a page cannot even read why.
    /// - Parameter origin: the request's Origin.
    package func headers(origin: String?, path: String) -> HTTPFields {
        var headers = allowed(origin, path)
        if headers[.accessControlAllowOrigin] != nil { headers[.accessControlExposeHeaders] = "Sync-Run-Id, Sync-Run-Outcome, Sync-Checkpoint, Retry-After" }
        return headers
    }

    /// The headers of an answer to an OPTIONS request that the browser makes on its own before the real one.
    func preflightHeaders(origin: String?, path: String, methods: [HTTPRequest.Method]) -> HTTPFields {
        var headers = allowed(origin, path)
        guard headers[.accessControlAllowOrigin] != nil else { return headers }
        headers[.accessControlAllowMethods] = methods.map(\.rawValue).joined(separator: ", ")
        headers[.accessControlAllowHeaders] = "Authorization, Content-Type, Accept, Prefer"
        headers[.accessControlMaxAge] = "600"
        return headers
    }

    private func allowed(_ origin: String?, _ path: String) -> HTTPFields {
        guard !origins.isEmpty, !path.hasPrefix("/admin") else { return [:] }
        // Caches must not show one origin the answer made for another, also where none was allowed.
        var headers: HTTPFields = [.vary: "Origin"]
        if let origin, origins.contains(where: { $0.utf8.elementsEqual(origin.utf8) }) { headers[.accessControlAllowOrigin] = origin }
        return headers
    }
}
