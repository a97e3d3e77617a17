import HTTPTypes
import HummingbirdCore
import JSON
import NIOCore

/// Answers and their headers, the one place where an error becomes a status.
enum Answer {
    /// - Parameter body: its members are written in their order.
    static func json(_ status: HTTPResponse.Status, _ body: JSON, _ more: HTTPFields = [:]) -> Response {
        bytes(status, "application/json", body.encoded(), more)
    }

    static func bytes(_ status: HTTPResponse.Status, _ type: String, _ body: [UInt8], _ more: HTTPFields = [:]) -> Response {
        Response(status: status, headers: headers(type, more), body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }

    /// 204.
    static func empty(_ more: HTTPFields) -> Response {
        var fields = headers("", more)
        fields[.contentType] = nil
        return Response(status: .noContent, headers: fields)
    }

    /// The headers of every answer: nothing here is to be kept by a cache or guessed at by a browser.
    static func headers(_ type: String, _ more: HTTPFields = [:]) -> HTTPFields {
        var headers: HTTPFields = [
            .contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
            .contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'",
        ]
        for field in more { headers[field.name] = field.value }
        return headers
    }

    static func error(_ error: RequestError) -> Response {
        json(error.status, .status("error", error.message), error.headers)
    }

    /// A refusal by the guard, written before there is a decoded request: the whole answer as text.
    /// - Parameters:
    ///   - toHead: whether the request's method is HEAD, whose answer has no body (RFC 9110 section 9.3.2).
    ///   - more: CORS headers, where the request came so far as to name its origin.
    static func refusal(_ refusal: RequestFraming.Refusal, toHead: Bool, _ more: HTTPFields) -> String {
        let (status, message): (HTTPResponse.Status, String) =
            switch refusal {
            case .malformed(let what): (.badRequest, "Bad request: \(what)")
            case .notOffered(let what): (.badRequest, "Bad request: \(what) is not offered")
            case .targetTooLong: (.uriTooLong, "The address is longer than \(RequestFraming.maximumTarget) bytes")
            case .fieldsTooLarge: (.requestHeaderFieldsTooLarge, "The headers are larger than \(RequestFraming.maximumFields) bytes")
            case .tooSlow: (.requestTimeout, "The request did not come in time")
            case .bodyTooLarge: (.contentTooLarge, "The body is larger than \(RequestFraming.maximumBody) bytes")
            case .noRoom: (.serviceUnavailable, "Too many large requests at a time; retry later")
            }
        let body = String(decoding: JSON.status("error", message).encoded(), as: UTF8.self)
        var fields = headers("application/json", more)
        if status == .serviceUnavailable { fields[.retryAfter] = "10" }
        var lines = ["HTTP/1.1 \(status.code) \(status.reasonPhrase)"]
        for field in fields { lines.append("\(field.name): \(field.value)") }
        lines += ["content-length: \(body.utf8.count)", "connection: close", "", toHead ? "" : body]
        return lines.joined(separator: "\r\n")
    }
}

extension JSON {
    /// The documented pair; more members follow behind it.
    static func status(_ status: String, _ message: String, _ more: [Member] = []) -> JSON {
        .object(statusMembers(status, message) + more)
    }

    static func statusMembers(_ status: String, _ message: String) -> [Member] {
        [Member("status", .string(status)), Member("message", .string(message))]
    }
}

/// A request that is answered with an error.
enum RequestError: Error {
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

    var status: HTTPResponse.Status {
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

    var message: String {
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
    var headers: HTTPFields {
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

extension HTTPField.Name {
    /// The trail's newest checkpoint, base64 of the signed note.
    static let syncCheckpoint = HTTPField.Name("Sync-Checkpoint") ?? .via
    static let prefer = HTTPField.Name("Prefer") ?? .via
    static let preferenceApplied = HTTPField.Name("Preference-Applied") ?? .via
    /// The number of the run that an answer is about.
    static let syncRunID = HTTPField.Name("Sync-Run-Id") ?? .via
    /// That run's outcome, as the history names it.
    static let syncRunOutcome = HTTPField.Name("Sync-Run-Outcome") ?? .via
}
