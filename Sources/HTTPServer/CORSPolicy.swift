import HTTPTypes

/// Decides which web pages of other origins may call the service and read its answers (CORS protocol of the Fetch
/// standard). No page may use /admin, and the origin `null` is never allowed.
package struct CORSPolicy: Sendable {
    private let origins: [String]
    private let exposedHeaders: String

    /// - Parameters:
    ///   - origins: exact origins such as `https://app.example`. Empty: no response gets a CORS header.
    ///   - exposedHeaders: the response headers that pages may read, beside those that they may always read.
    package init(origins: [String], exposedHeaders: [HTTPField.Name] = []) {
        self.origins = origins
        self.exposedHeaders = exposedHeaders.map(\.rawName).joined(separator: ", ")
    }

    /// The headers of a response. Errors need them too, or the page cannot read the error.
    /// - Parameter origin: the request's Origin.
    func headers(origin: String?, path: String) -> HTTPFields {
        var headers = allowed(origin, path)
        if headers[.accessControlAllowOrigin] != nil, !exposedHeaders.isEmpty { headers[.accessControlExposeHeaders] = exposedHeaders }
        return headers
    }

    /// The headers of the response to a preflight: an OPTIONS request that the browser sends before the real one.
    /// - Parameter methods: those of the path.
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
        // Caches must not give one origin the response for another. This also holds for origins that are not allowed.
        var headers: HTTPFields = [.vary: "Origin"]
        if let origin, origins.contains(where: { $0.utf8.elementsEqual(origin.utf8) }) { headers[.accessControlAllowOrigin] = origin }
        return headers
    }
}
