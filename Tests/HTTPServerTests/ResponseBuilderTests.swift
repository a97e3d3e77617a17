import HTTPFraming
import HTTPTypes
import HummingbirdCore
import JSON
import Testing

@testable import HTTPServer

@Suite struct ResponseBuilderTests {
    private static let always: HTTPFields = [
        .cacheControl: "no-store", .xContentTypeOptions: "nosniff", .contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'",
    ]

    @Test func everyResponseHasTheSameHeaders() {
        let json = ResponseBuilder.json(.ok, .string("a"), [.retryAfter: "1"])
        #expect(json.headers[.contentType] == "application/json" && json.headers[.retryAfter] == "1")
        let empty = ResponseBuilder.empty([.allow: "GET"])
        #expect(empty.status == .noContent && empty.headers[.contentType] == nil && empty.headers[.allow] == "GET")
        let error = ResponseBuilder.error(.forbidden)
        for response in [json, empty, error, ResponseBuilder.bytes(.ok, "text/plain", [])] {
            for field in Self.always { #expect(response.headers[field.name] == field.value) }
        }
    }

    @Test func aRefusalIsACompleteResponse() {
        let text = ResponseBuilder.text(.framing(.noRoom), toHead: false, [.vary: "Origin"])
        let body = #"{"status":"error","message":"Too many large requests at a time; retry later"}"#
        let lines = text.replacing("\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines.first == "HTTP/1.1 503 Service Unavailable" && lines.last == body)
        let fields = Set(lines.dropFirst().dropLast(2).map { $0.lowercased() })
        #expect(
            fields.isSuperset(of: [
                "retry-after: 10", "vary: origin", "connection: close", "content-length: \(body.utf8.count)", "cache-control: no-store",
            ]))
        #expect(lines[lines.count - 2].isEmpty)
        #expect(ResponseBuilder.text(.framing(.noRoom), toHead: true, [:]).hasSuffix("\r\n\r\n"))
    }

    @Test(
        arguments: [
            (.framing(.malformed("x")), 400), (.framing(.notOffered("x")), 400), (.framing(.targetTooLong), 414), (.framing(.fieldsTooLarge), 431),
            (.framing(.bodyTooLarge), 413), (.framing(.tooSlow), 408), (.framing(.noRoom), 503), (.badRequest("x"), 400),
            (.unauthorized(refused: nil), 401),
            (.forbidden, 403), (.notFound, 404), (.methodNotAllowed(allowed: []), 405), (.rangeNotSatisfiable(size: 1), 416), (.internalError, 500),
            (.conflict("x"), 409), (.unavailable("x"), 503), (.tooManyFailures(retryAfterSeconds: 1), 429), (.tooManyReads, 429),
        ] as [(RequestError, Int)])
    func everyErrorHasItsStatus(error: RequestError, code: Int) {
        #expect(ResponseBuilder.error(error).status.code == code)
        let isTemporary = [503, 429].contains(code)
        #expect((error.headers[.retryAfter] != nil) == isTemporary, "a client learns when to come back")
    }

    /// The challenge tells a refused token from a missing one; the body does not.
    @Test func challengesFollowRFC6750() {
        #expect(RequestError.unauthorized(refused: nil).headers[.wwwAuthenticate] == #"Bearer realm="sync""#)
        #expect(RequestError.unauthorized(refused: .deniedUser).headers[.wwwAuthenticate] == #"Bearer realm="sync", error="invalid_token""#)
        #expect(RequestError.unauthorized(refused: nil).message == RequestError.unauthorized(refused: .deniedUser).message)
        #expect(RequestError.forbidden.headers[.wwwAuthenticate] == #"Bearer realm="sync", error="insufficient_scope""#)
        #expect(RequestError.methodNotAllowed(allowed: [.get, .head]).headers[.allow] == "GET, HEAD")
        #expect(RequestError.rangeNotSatisfiable(size: 7).headers[.contentRange] == "bytes */7")
    }
}
