import HTTPFraming
import HTTPTypes
import JSON
import NIOCore
import Testing

@testable import HTTPServer

@Suite struct ResponseBuilderTests {
    private static let always: HTTPFields = [
        .cacheControl: "no-store", .xContentTypeOptions: "nosniff", .contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'",
    ]

    private func lines(_ response: Response) -> [String] { Self.lines(String(decoding: response.head, as: UTF8.self)) }

    private static func lines(_ text: String) -> [String] {
        text.replacing("\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    @Test func everyResponseHasTheSameHeaders() {
        let json = ResponseBuilder.json(.ok, .string("a"), [.retryAfter: "1"])
        #expect(lines(json).contains("Content-Type: application/json") && lines(json).contains("Retry-After: 1"))
        let empty = ResponseBuilder.empty([.allow: "GET"])
        #expect(lines(empty).first == "HTTP/1.1 204 No Content" && lines(empty).contains("Allow: GET"))
        #expect(!lines(empty).contains { $0.hasPrefix("Content-") && !$0.hasPrefix("Content-Security") })
        let error = ResponseBuilder.error(.forbidden)
        for response in [json, empty, error, ResponseBuilder.bytes(.ok, "text/plain", [])] {
            for field in Self.always { #expect(lines(response).contains("\(field.name.rawName): \(field.value)")) }
        }
    }

    @Test func aResponseIsSentAsOneText() {
        var response = ResponseBuilder.error(.framing(.noRoom))
        response.add([.vary: "Origin"])
        let body = #"{"status":"error","message":"Too many large requests at a time; retry later"}"#
        let lines = Self.lines(String(buffer: response.encoded(connection: "close", ByteBufferAllocator())))
        #expect(lines.first == "HTTP/1.1 503 Service Unavailable" && lines.last == body && lines[lines.count - 2].isEmpty)
        #expect(
            Set(lines).isSuperset(of: [
                "Retry-After: 10", "Vary: Origin", "Connection: close", "Content-Length: \(body.utf8.count)", "Cache-Control: no-store",
            ]))
        response.dropBody()
        let head = String(buffer: response.encoded(connection: nil, ByteBufferAllocator()))
        #expect(head.hasSuffix("\r\n\r\n") && head.contains("Content-Length: \(body.utf8.count)\r\n") && !head.contains("Connection"))
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
