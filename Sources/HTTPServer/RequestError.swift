import HTTPTypes

/// A request that is answered with an error.
package enum RequestError: Error {
    case badRequest(String)
    /// - Parameter refused: why a token was refused, for log and record only; nil where none was sent. The body is the same.
    case unauthorized(refused: TokenRefusal?)
    case forbidden
    case notFound
    case methodNotAllowed(allowed: [HTTPRequest.Method])
    case rangeNotSatisfiable(size: Int64)
    case internalError
    case conflict(String)
    case unavailable(String)
    case tooManyRequests(retryAfterSeconds: Int64)
    case tooManyReads

    package var status: HTTPResponse.Status {
        switch self {
        case .badRequest: .badRequest
        case .unauthorized: .unauthorized
        case .forbidden: .forbidden
        case .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .rangeNotSatisfiable: .rangeNotSatisfiable
        case .internalError: .internalServerError
        case .conflict: .conflict
        case .unavailable: .serviceUnavailable
        case .tooManyRequests, .tooManyReads: .tooManyRequests
        }
    }

    package var message: String {
        switch self {
        case .badRequest(let what): what
        case .unauthorized: "A valid bearer token is required"
        case .forbidden: "This token does not allow that"
        case .notFound: "There is nothing here"
        case .methodNotAllowed: "This method is not offered here"
        case .rangeNotSatisfiable: "The range lies outside the output"
        case .internalError: "Something failed; the operator's log says what"
        case .conflict(let what): what
        case .unavailable(let what): what
        case .tooManyRequests: "Too many refused requests; wait before you try again"
        case .tooManyReads: "Too many concurrent reads; retry later"
        }
    }

    /// RFC 6750 section 3 for the challenges, RFC 9110 for the others.
    package var headers: HTTPFields {
        switch self {
        case .unauthorized(let refused): [.wwwAuthenticate: #"Bearer realm="sync""# + (refused != nil ? #", error="invalid_token""# : "")]
        case .forbidden: [.wwwAuthenticate: #"Bearer realm="sync", error="insufficient_scope""#]
        case .methodNotAllowed(let allowed): [.allow: allowed.map(\.rawValue).joined(separator: ", ")]
        case .rangeNotSatisfiable(let size): [.contentRange: "bytes */\(size)"]
        case .unavailable, .tooManyReads: [.retryAfter: "10"]
        case .tooManyRequests(let seconds): [.retryAfter: String(seconds)]
        default: [:]
        }
    }
}
