import HTTPFraming
import HTTPTypes
import HummingbirdCore
import JSON
import NIOCore

/// Answers and their headers, the one place where an error becomes a status.
package enum ResponseBuilder {
    /// - Parameter body: its members are written in their order.
    package static func json(_ status: HTTPResponse.Status, _ body: JSONValue, _ more: HTTPFields = [:]) -> Response {
        bytes(status, "application/json", body.encoded(), more)
    }

    package static func bytes(_ status: HTTPResponse.Status, _ type: String, _ body: [UInt8], _ more: HTTPFields = [:]) -> Response {
        Response(status: status, headers: headers(type, more), body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }

    /// 204.
    static func empty(_ more: HTTPFields) -> Response {
        var fields = headers("", more)
        fields[.contentType] = nil
        return Response(status: .noContent, headers: fields)
    }

    /// The headers of every answer: nothing here is to be kept by a cache or guessed at by a browser.
    package static func headers(_ type: String, _ more: HTTPFields = [:]) -> HTTPFields {
        var headers: HTTPFields = [
            .contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
            .contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'",
        ]
        for field in more { headers[field.name] = field.value }
        return headers
    }

    package static func error(_ error: RequestError) -> Response {
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
        let body = String(decoding: JSONValue.status("error", message).encoded(), as: UTF8.self)
        var fields = headers("application/json", more)
        if status == .serviceUnavailable { fields[.retryAfter] = "10" }
        var lines = ["HTTP/1.1 \(status.code) \(status.reasonPhrase)"]
        for field in fields { lines.append("\(field.name): \(field.value)") }
        lines += ["content-length: \(body.utf8.count)", "connection: close", "", toHead ? "" : body]
        return lines.joined(separator: "\r\n")
    }
}

extension JSONValue {
    /// The documented pair; more members follow behind it.
    package static func status(_ status: String, _ message: String, _ more: [Member] = []) -> JSONValue {
        .object(statusMembers(status, message) + more)
    }

    package static func statusMembers(_ status: String, _ message: String) -> [Member] {
        [Member("status", .string(status)), Member("message", .string(message))]
    }
}

extension HTTPField.Name {
    /// The audit log's newest checkpoint, base64 of the signed note.
    package static let syncCheckpoint = HTTPField.Name("Sync-Checkpoint") ?? .via
    package static let prefer = HTTPField.Name("Prefer") ?? .via
    package static let preferenceApplied = HTTPField.Name("Preference-Applied") ?? .via
    /// The number of the run that an answer is about.
    package static let syncRunID = HTTPField.Name("Sync-Run-Id") ?? .via
    /// That run's outcome, as the history names it.
    package static let syncRunOutcome = HTTPField.Name("Sync-Run-Outcome") ?? .via
}
