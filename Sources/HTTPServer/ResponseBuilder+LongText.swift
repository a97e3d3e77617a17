import HTTPTypes
import JSON

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
        let body = ResponseStream(count: counted) { send in
            var sent = begin.count
            try await send(begin)
            try await text.forEachPiece { piece in
                sent += piece.count
                // The text has changed, because the output was redacted. The client sees a response that is cut short.
                guard sent + end.count <= counted else { throw RequestError.internalError }
                try await send(piece)
            }
            guard sent + end.count == counted else { throw RequestError.internalError }
            try await send(end)
            withExtendedLifetime(slot) {}
        }
        return stream(status, "application/json", body, more)
    }

    /// A JSON value that may be large.
    /// - Parameter slot: is kept until the client has taken nearly all of a large response; a small one releases it at once.
    package static func json(_ status: HTTPResponse.Status, _ body: JSONValue, keeping slot: ReadSlots.Slot) -> Response {
        let encoded = body.encoded()
        guard encoded.count > smallBytes else { return bytes(status, "application/json", encoded) }
        let body = ResponseStream(count: encoded.count) { send in
            for begin in stride(from: 0, to: encoded.count, by: smallBytes) {
                try await send(Array(encoded[begin..<min(begin + smallBytes, encoded.count)]))
            }
            withExtendedLifetime(slot) {}
        }
        return stream(status, "application/json", body)
    }
}
