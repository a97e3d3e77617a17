import JSON

/// A text of an answer that may be long: the script's log or a run's output. It is read, repaired and escaped in pieces
/// as the client takes them, so that a client that does not read holds little memory.
package struct LongText: Sendable {
    /// Bytes of text in a piece. Escaped, a piece is at most six times as long.
    private static let pieceBytes = 16384

    private let count: Int64
    private let read: @Sendable (_ offset: Int64, _ count: Int64) async throws -> [UInt8]

    /// - Parameter read: returns `count` bytes from `offset` on, fewer only at the end. Each byte is read twice.
    package init(count: Int64, read: @escaping @Sendable (_ offset: Int64, _ count: Int64) async throws -> [UInt8]) {
        self.count = count
        self.read = read
    }

    package init(_ bytes: [UInt8]) {
        self.init(count: Int64(bytes.count)) { offset, count in Array(bytes[Int(offset)..<Int(offset + count)]) }
    }

    /// How many bytes of a long text are read at a time. SQLite walks through all pages in front of what it reads, so the
    /// number of reads must be limited, not only their size.
    package static func readBytes(of count: Int64) -> Int64 { max(65536, count / 64) }

    /// How many bytes the text has in a JSON string.
    /// - Throws: what `read` throws, or ``RequestError/internalError`` if the text has become shorter.
    func escapedCount() async throws -> Int {
        var total = 0
        try await forEachPart { total += JSONValue.escapedCount($0) }
        return total
    }

    /// Calls `body` with one piece after another, as they stand in a JSON string.
    /// - Throws: what `read` and `body` throw, or ``RequestError/internalError`` if the text has become shorter.
    func forEachPiece(_ body: ([UInt8]) async throws -> Void) async throws {
        try await forEachPart { part in
            var escaped: [UInt8] = []
            JSONValue.appendEscaped(part, to: &escaped)
            try await body(escaped)
        }
    }

    /// Calls `body` with one part of the text after another. Bytes that are not UTF-8 become U+FFFD.
    private func forEachPart(_ body: (String) async throws -> Void) async throws {
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
                // The first bytes of a character wait for the others.
                guard end > begin else { break }
                try await body(String(decoding: rest[begin..<end], as: UTF8.self))
                begin = end
            }
            rest.removeFirst(begin)
        }
    }

    /// Where a text may be cut so that its parts decode like the whole: in front of an incomplete character at its end.
    static func endOfWholeCharacters(_ bytes: ArraySlice<UInt8>) -> Int {
        for back in 1...3 where back <= bytes.count {
            let byte = bytes[bytes.endIndex - back]
            // A continuation byte belongs to a character that begins further ahead.
            if byte & 0b1100_0000 == 0b1000_0000 { continue }
            let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return length > back ? bytes.endIndex - back : bytes.endIndex
        }
        return bytes.endIndex
    }
}
