import HTTPTypes
import HummingbirdCore
import JSON
import NIOCore

/// Makes responses with the headers that every response has.
package enum ResponseBuilder {
    /// - Parameter body: its members are written in their order.
    package static func json(_ status: HTTPResponse.Status, _ body: JSONValue, _ more: HTTPFields = [:]) -> Response {
        bytes(status, "application/json", body.encoded(), more)
    }

    package static func bytes(_ status: HTTPResponse.Status, _ type: String, _ body: [UInt8], _ more: HTTPFields = [:]) -> Response {
        Response(status: status, headers: headers(type, more), body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }

    /// 204, without a body.
    static func empty(_ more: HTTPFields) -> Response {
        var fields = headers("", more)
        fields[.contentType] = nil
        return Response(status: .noContent, headers: fields)
    }

    /// The headers of every response. No cache may keep it, and no browser may guess its type.
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

    /// A complete error response as text, for a connection without a decoded request. It closes the connection.
    /// - Parameters:
    ///   - toHead: whether the request's method is HEAD, whose response has no body (RFC 9110 section 9.3.2).
    ///   - cors: the CORS headers, if the request's origin is known.
    static func text(_ error: RequestError, toHead: Bool, _ cors: HTTPFields) -> String {
        let body = String(decoding: JSONValue.status("error", error.message).encoded(), as: UTF8.self)
        var fields = headers("application/json", cors)
        for field in error.headers { fields[field.name] = field.value }
        var lines = ["HTTP/1.1 \(error.status.code) \(error.status.reasonPhrase)"]
        for field in fields { lines.append("\(field.name): \(field.value)") }
        lines += ["content-length: \(body.utf8.count)", "connection: close", "", toHead ? "" : body]
        return lines.joined(separator: "\r\n")
    }
}

extension JSONValue {
    /// `{"status":…,"message":…}`, with more members behind these.
    package static func status(_ status: String, _ message: String, _ more: [Member] = []) -> JSONValue {
        .object(statusMembers(status, message) + more)
    }

    package static func statusMembers(_ status: String, _ message: String) -> [Member] {
        [Member("status", .string(status)), Member("message", .string(message))]
    }
}
