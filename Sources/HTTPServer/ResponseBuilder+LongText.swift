import HTTPTypes
import HummingbirdCore
import JSON
import NIOCore

/// Responses that are sent piece by piece, so that a client that does not read holds a slot but little memory.
extension ResponseBuilder {
    /// A response up to this size needs no slot: the buffers of its connection hold as much anyway.
    private static let smallBytes = 65536

    /// A JSON object whose last member is a long text.
    /// - Parameters:
    ///   - members: the members in front of the text.
    ///   - slot: is kept until the client has taken nearly all of a large response; a small one releases it at once.
    /// - Throws: why the text cannot be read.
    package static func json(
        _ status: HTTPResponse.Status, _ members: [JSONValue.Member], _ name: String, _ text: LongText, _ more: HTTPFields = [:],
        keeping slot: ReadSlots.Slot? = nil
    ) async throws -> Response {
        let end = Array("\"}".utf8)
        let begin = Array(JSONValue.object(members + [JSONValue.Member(name, .string(""))]).encoded().dropLast(end.count))
        // Content-Length comes before the text, so the text is read twice: to count its bytes, and to send them.
        let counted = try await begin.count + text.escapedCount() + end.count
        if counted <= smallBytes {
            var whole = begin
            try await text.forEachPiece { whole += $0 }
            return bytes(status, "application/json", whole + end, more)
        }
        let body = ResponseBody(contentLength: counted) { writer in
            var sent = begin.count
            try await writer.write(ByteBuffer(bytes: begin))
            try await text.forEachPiece { piece in
                sent += piece.count
                // The text has changed, because the output was redacted. The client sees a response that is cut short.
                guard sent + end.count <= counted else { throw RequestError.internalError }
                try await writer.write(ByteBuffer(bytes: piece))
            }
            guard sent + end.count == counted else { throw RequestError.internalError }
            try await writer.write(ByteBuffer(bytes: end))
            try await writer.finish(nil)
            withExtendedLifetime(slot) {}
        }
        return Response(status: status, headers: headers("application/json", more), body: body)
    }

    /// A JSON value that may be large.
    /// - Parameter slot: is kept until the client has taken nearly all of a large response; a small one releases it at once.
    package static func json(_ status: HTTPResponse.Status, _ body: JSONValue, keeping slot: ReadSlots.Slot) -> Response {
        let encoded = body.encoded()
        guard encoded.count > smallBytes else { return bytes(status, "application/json", encoded) }
        let whole = ByteBuffer(bytes: encoded)
        let body = ResponseBody(contentLength: whole.readableBytes) { writer in
            var rest = whole
            while let piece = rest.readSlice(length: min(smallBytes, rest.readableBytes)), piece.readableBytes > 0 {
                try await writer.write(piece)
            }
            try await writer.finish(nil)
            withExtendedLifetime(slot) {}
        }
        return Response(status: status, headers: headers("application/json"), body: body)
    }
}
