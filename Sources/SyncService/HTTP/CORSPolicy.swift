import HTTPTypes

/// Which web pages of other origins may call the documented endpoints (Fetch standard, CORS protocol). Never under
/// /admin, never for `null`.
struct CORSPolicy: Sendable {
    private let origins: [String]

    /// - Parameter origins: exact origins such as `https://app.example`.
    init(origins: [String]) { self.origins = origins }

    /// The headers that go with an answer, errors included: without them a page cannot even read why.
    /// - Parameter preflight: whether this answers an OPTIONS request of the browser's own.
    func headers(for request: HTTPRequest, path: String, methods: [HTTPRequest.Method], preflight: Bool) -> HTTPFields {
        guard !origins.isEmpty, !path.hasPrefix("/admin") else { return [:] }
        // Caches must not show one origin the answer made for another, also where none was allowed.
        var headers: HTTPFields = [.vary: "Origin"]
        guard let origin = request.headerFields[.origin], origins.contains(where: { $0.utf8.elementsEqual(origin.utf8) }) else { return headers }
        headers[.accessControlAllowOrigin] = origin
        if preflight {
            headers[.accessControlAllowMethods] = methods.map(\.rawValue).joined(separator: ", ")
            headers[.accessControlAllowHeaders] = "Authorization, Content-Type, Accept, Prefer"
            headers[.accessControlMaxAge] = "600"
        } else {
            headers[.accessControlExposeHeaders] = "Sync-Run-Id, Sync-Checkpoint, Retry-After"
        }
        return headers
    }
}
