import HTTPTypes
import JSON

/// Makes responses with the headers that every response has.
package enum ResponseBuilder {
    /// - Parameter body: its members are written in their order.
    package static func json(_ status: HTTPResponse.Status, _ body: JSONValue, _ more: HTTPFields = [:]) -> Response {
        bytes(status, "application/json", body.encoded(), more)
    }

    package static func bytes(_ status: HTTPResponse.Status, _ type: String, _ body: [UInt8], _ more: HTTPFields = [:]) -> Response {
        Response(status, headers(type, more), .bytes(body))
    }

    package static func stream(_ status: HTTPResponse.Status, _ type: String, _ body: ResponseStream, _ more: HTTPFields = [:]) -> Response {
        Response(status, headers(type, more), .stream(body))
    }

    /// 204, without a body.
    static func empty(_ more: HTTPFields) -> Response {
        var fields = headers("", more)
        fields[.contentType] = nil
        return Response(.noContent, fields, .none)
    }

    package static func error(_ error: RequestError) -> Response {
        json(error.status, .status("error", error.message), error.headers)
    }

    /// The headers of every response. No cache may keep it, and no browser may guess its type.
    private static func headers(_ type: String, _ more: HTTPFields) -> HTTPFields {
        var headers: HTTPFields = [
            .contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
            .contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'",
        ]
        for field in more { headers[field.name] = field.value }
        return headers
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
