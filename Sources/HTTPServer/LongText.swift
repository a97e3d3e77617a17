import HTTPTypes
import HummingbirdCore
import JSON
import NIOCore

/// A text of an answer that may be long: the script's log or a run's output. It is read, repaired and escaped in pieces
/// as the client takes them, so that a client that does not read holds little memory.
package struct LongText: Sendable {
    /// Bytes of text in a piece. Escaped, it is at most six times as long.
    private static let pieceBytes = 16384

    fileprivate let count: Int64
    fileprivate let read: @Sendable (_ offset: Int64, _ count: Int64) async throws -> [UInt8]

    /// - Parameter read: gives `count` bytes from `offset` on, fewer only at the end. It is called twice for each byte.
    package init(count: Int64, read: @escaping @Sendable (_ offset: Int64, _ count: Int64) async throws -> [UInt8]) {
        self.count = count
        self.read = read
    }

    package init(_ bytes: [UInt8]) {
        self.init(count: Int64(bytes.count)) { offset, count in Array(bytes[Int(offset)..<Int(offset + count)]) }
    }

    /// How much of a long text is read at a time. SQLite walks through all pages in front of what is read, so the number of
    /// reads has a limit, not their size alone.
    package static func readBytes(of count: Int64) -> Int64 { max(65536, count / 64) }

    /// Gives the text piece by piece as it stands in a JSON string, U+FFFD for bytes that are not UTF-8.
    /// - Throws: what `read` throws, or ``RequestError/internalError`` where the text has become shorter meanwhile.
    fileprivate func forEachPiece(_ body: ([UInt8]) async throws -> Void) async throws {
        var offset: Int64 = 0
        var rest: [UInt8] = []
        while offset < count {
            let more = try await read(offset, min(Self.readBytes(of: count), count - offset))
            guard !more.isEmpty else { throw RequestError.internalError }
            offset += Int64(more.count)
            rest += more
            var begin = 0
            while begin < rest.count {
                let piece = rest[begin..<min(begin + Self.pieceBytes, rest.count)]
                let isLast = offset == count && piece.endIndex == rest.count
                let end = isLast ? piece.endIndex : Self.endOfWholeCharacters(piece)
                // The beginning of a character waits for the rest of it.
                guard end > begin else { break }
                var escaped: [UInt8] = []
                JSONValue.appendEscaped(String(decoding: rest[begin..<end], as: UTF8.self), to: &escaped)
                try await body(escaped)
                begin = end
            }
            rest.removeFirst(begin)
        }
    }

    /// Where a text may be cut so that its parts decode like the whole: in front of a character whose end has not come.
    static func endOfWholeCharacters(_ bytes: ArraySlice<UInt8>) -> Int {
        for back in 1...3 where back <= bytes.count {
            let byte = bytes[bytes.endIndex - back]
            // Continuation bytes belong to a character that begins further ahead, if any does.
            if byte & 0b1100_0000 == 0b1000_0000 { continue }
            let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return length > back ? bytes.endIndex - back : bytes.endIndex
        }
        return bytes.endIndex
    }
}

extension ResponseBuilder {
    /// What an answer may hold in memory without a place: as much as the buffers of a connection hold anyway.
    private static let smallBytes = 65536

    /// A JSON object whose last member is a long text.
    /// - Parameters:
    ///   - members: those before the text.
    ///   - slot: kept until the client has taken nearly all of a large answer; a small one lets go of it at once.
    /// - Throws: where the text cannot be read.
    package static func json(
        _ status: HTTPResponse.Status, _ members: [JSONValue.Member], _ name: String, _ text: LongText, _ more: HTTPFields = [:],
        keeping slot: ReadSlots.Slot? = nil
    ) async throws -> Response {
        let end = Array("\"}".utf8)
        let begin = Array(JSONValue.object(members + [JSONValue.Member(name, .string(""))]).encoded().dropLast(end.count))
        // The length stands in front of the text, so it is encoded twice: to be counted, and to be sent.
        var length = begin.count + end.count
        var small: [UInt8]? = begin
        try await text.forEachPiece { piece in
            length += piece.count
            if length > smallBytes { small = nil } else { small? += piece }
        }
        if let small { return bytes(status, "application/json", small + end, more) }
        let counted = length
        let body = ResponseBody(contentLength: counted) { writer in
            var sent = begin.count
            try await writer.write(ByteBuffer(bytes: begin))
            try await text.forEachPiece { piece in
                sent += piece.count
                // Another text by now, because an output was redacted: the client sees an answer that is cut short.
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

    /// A JSON value that may be large, sent piece by piece.
    /// - Parameter slot: as in the other; kept for a large answer only.
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
