import HTTPFraming
import HTTPTypes

/// The answer to a request that fails: the one place where an error gets its status, message and headers.
///
/// Handlers throw it. ``Responder`` answers it as `{"status":"error","message":…}`.
package enum RequestError: Error {
    /// - Parameter what: the message, for the client.
    case badRequest(_ what: String)
    /// - Parameter refused: why the token was refused, for log and history only, so that the body says the same in all
    ///   cases. nil: the request had no token.
    case unauthorized(refused: TokenRefusal?)
    case forbidden
    case notFound
    case methodNotAllowed(allowed: [HTTPRequest.Method])
    case rangeNotSatisfiable(size: Int64)
    /// For errors that only the operator's log explains.
    case internalError
    case conflict(_ what: String)
    case unavailable(_ what: String)
    /// The client's address has sent too many refused tokens.
    case tooManyFailures(retryAfterSeconds: Int64)
    /// ``ReadSlots`` has no slot.
    case tooManyReads
    /// The request was refused before it was decoded.
    case framing(FramingError)

    package var status: HTTPResponse.Status {
        switch self {
        case .badRequest, .framing(.malformed), .framing(.notOffered): .badRequest
        case .unauthorized: .unauthorized
        case .forbidden: .forbidden
        case .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .rangeNotSatisfiable: .rangeNotSatisfiable
        case .internalError: .internalServerError
        case .conflict: .conflict
        case .unavailable, .framing(.noRoom): .serviceUnavailable
        case .tooManyFailures, .tooManyReads: .tooManyRequests
        case .framing(.targetTooLong): .uriTooLong
        case .framing(.fieldsTooLarge): .requestHeaderFieldsTooLarge
        case .framing(.bodyTooLarge): .contentTooLarge
        case .framing(.tooSlow): .requestTimeout
        }
    }

    package var message: String {
        switch self {
        case .badRequest(let what), .conflict(let what), .unavailable(let what): what
        case .unauthorized: "A valid bearer token is required"
        case .forbidden: "This token does not allow that"
        case .notFound: "There is nothing here"
        case .methodNotAllowed: "This method is not offered here"
        case .rangeNotSatisfiable: "The range lies outside the output"
        case .internalError: "Something failed; the operator's log says what"
        case .tooManyFailures: "Too many refused requests; wait before you try again"
        case .tooManyReads: "Too many concurrent reads; retry later"
        case .framing(.malformed(let what)): "Bad request: \(what)"
        case .framing(.notOffered(let what)): "Bad request: \(what) is not offered"
        case .framing(.targetTooLong): "The address is longer than \(RequestFraming.maximumTarget) bytes"
        case .framing(.fieldsTooLarge): "The headers are larger than \(RequestFraming.maximumFields) bytes"
        case .framing(.bodyTooLarge): "The body is larger than \(RequestFraming.maximumBody) bytes"
        case .framing(.tooSlow): "The request did not arrive in time"
        case .framing(.noRoom): "Too many large requests at a time; retry later"
        }
    }

    /// Challenges as in RFC 6750 section 3, the other fields as in RFC 9110.
    package var headers: HTTPFields {
        switch self {
        case .unauthorized(let refused): [.wwwAuthenticate: #"Bearer realm="sync""# + (refused != nil ? #", error="invalid_token""# : "")]
        case .forbidden: [.wwwAuthenticate: #"Bearer realm="sync", error="insufficient_scope""#]
        case .methodNotAllowed(let allowed): [.allow: allowed.map(\.rawValue).joined(separator: ", ")]
        case .rangeNotSatisfiable(let size): [.contentRange: "bytes */\(size)"]
        case .unavailable, .tooManyReads, .framing(.noRoom): [.retryAfter: "10"]
        case .tooManyFailures(let seconds): [.retryAfter: String(seconds)]
        default: [:]
        }
    }
}
