/// Decides where one request on a connection ends and whether it may pass. It is strict, and runs before the HTTP decoder.
///
/// It sees raw bytes and passes only whole requests, so an incomplete request has no effect. It refuses everything that a
/// decoder could read differently. It does no input or output: bytes in, a verdict out. Grammar: RFC 9112.
package struct RequestFraming {
    package static let maximumTarget = 4096
    package static let maximumFields = 16384
    /// The decoder has the same limit, and answers above it without a body.
    static let maximumFieldCount = 256
    package static let maximumBody = 65536
    /// The target, and space for a method, two blanks and the version.
    private static let maximumRequestLine = maximumTarget + 64
    /// Chunk sizes and line ends count as well, or one-byte chunks would make a small body large.
    private static let maximumChunkedBody = 2 * maximumBody
    private static let maximumChunkLine = 128

    /// Why a request is refused; the connection is closed with it.
    package enum Refusal: Error, Equatable {
        case malformed(String)
        case targetTooLong
        case fieldsTooLarge
        case bodyTooLarge
        case notOffered(String)
        /// From the guard. ``inspect(_:)`` knows no time.
        case tooSlow
        /// From the guard: the memory for unfinished requests of all connections is used up.
        case noRoom
    }

    package enum Verdict: Equatable {
        /// More bytes are needed. `continueExpected` is true once if the client waits for 100 Continue.
        case incomplete(continueExpected: Bool)
        /// The first `length` bytes are one whole request.
        case complete(length: Int, closeAfterwards: Bool)
    }

    private enum Stage {
        case requestLine
        case fields
        case fixedBody(end: Int)
        case chunkSize(decoded: Int)
        case chunkData(end: Int, decoded: Int)
        case chunkedEnd
    }

    package init() {}

    private var stage = Stage.requestLine
    /// The bytes before this position are understood and not read again.
    private var position = 0
    /// The line at `position` has no end before this index. Otherwise one-byte segments would cost more than long ones.
    private var searched = 0
    private var head = RequestHead()
    private var bodyStart = 0
    /// How many bytes of the body ``discardBody(from:)`` has removed.
    private var discarded = 0
    private var toldToContinue = false

    /// Whether the head is complete and passed the checks.
    package var isInBody: Bool { bodyStart > 0 }

    /// Whether the head announces a body that is not empty.
    package var hasBody: Bool { isInBody && (head.chunked || head.contentLength > 0) }

    /// This and the following are what is known so far, for the answer to a refused request.
    package var origin: String? { head.origin }
    package var method: String { head.method }
    /// With the query.
    package var path: String { head.path }
    package var authorization: String? { head.authorization }
    package var isHTTP10: Bool { head.isHTTP10 }

    /// Looks at all bytes received of one request so far. Between calls `bytes` may only grow.
    package mutating func inspect(_ bytes: [UInt8]) throws(Refusal) -> Verdict {
        while true {
            switch stage {
            case .requestLine:
                guard let line = try line(bytes, limit: Self.maximumRequestLine, else: .targetTooLong) else { return incompleteHead }
                try head.readRequestLine(bytes[line])
                stage = .fields
            case .fields:
                guard let line = try line(bytes, limit: Self.maximumFields - head.fieldBytes, else: .fieldsTooLarge) else { return incompleteHead }
                if line.isEmpty { try beginBody() } else { try head.readField(bytes[line]) }
            case .fixedBody(let end):
                guard bytes.count >= end else { return waiting() }
                return .complete(length: end, closeAfterwards: head.closes)
            case .chunkSize(let decoded):
                guard let line = try line(bytes, limit: Self.maximumChunkLine, else: .malformed("a chunk size without end")) else { return waiting() }
                let size = try Self.chunkSize(bytes[line])
                guard decoded + size <= Self.maximumBody, discarded + position - bodyStart <= Self.maximumChunkedBody else { throw .bodyTooLarge }
                stage = size == 0 ? .chunkedEnd : .chunkData(end: position + size, decoded: decoded + size)
            case .chunkData(let end, let decoded):
                guard bytes.count >= end + 2 else { return waiting() }
                guard bytes[end] == UInt8(ascii: "\r"), bytes[end + 1] == UInt8(ascii: "\n") else { throw .malformed("a chunk without end") }
                position = end + 2
                stage = .chunkSize(decoded: decoded)
            case .chunkedEnd:
                guard let line = try line(bytes, limit: 2, else: .malformed("trailer fields")) else { return waiting() }
                guard line.isEmpty else { throw .malformed("trailer fields") }
                return .complete(length: position, closeAfterwards: head.closes)
            }
        }
    }

    /// Removes the inspected bytes of the body from `bytes`, for a body that nothing reads. The next ``inspect(_:)`` continues
    /// with the rest.
    package mutating func discardBody(from bytes: inout [UInt8]) {
        guard isInBody else { return }
        let end: Int
        switch stage {
        case .fixedBody(let bodyEnd), .chunkData(let bodyEnd, _): end = min(bytes.count, bodyEnd)
        default: end = position
        }
        let count = end - bodyStart
        bytes.removeSubrange(bodyStart..<end)
        discarded += count
        position = max(bodyStart, position - count)
        searched = max(position, searched - count)
        switch stage {
        case .fixedBody(let bodyEnd): stage = .fixedBody(end: bodyEnd - count)
        case .chunkData(let bodyEnd, let decoded): stage = .chunkData(end: bodyEnd - count, decoded: decoded)
        default: break
        }
    }

    /// The head of a complete request without the fields that announce a body.
    package func headWithoutBody(of bytes: [UInt8]) -> [UInt8] {
        var head = Array(bytes[..<bodyStart])
        for field in self.head.bodyFields.reversed() { head.removeSubrange(field) }
        return head
    }

    private var incompleteHead: Verdict { .incomplete(continueExpected: false) }

    private mutating func waiting() -> Verdict {
        defer { toldToContinue = true }
        return .incomplete(continueExpected: head.expectsContinue && !toldToContinue)
    }

    /// The next line without its CRLF; nil if it is not complete. Moves `position` behind it.
    private mutating func line(_ bytes: [UInt8], limit: Int, else refusal: Refusal) throws(Refusal) -> Range<Int>? {
        var index = max(position, searched)
        defer { searched = index }
        while index < bytes.count {
            guard index - position <= limit else { throw refusal }
            switch bytes[index] {
            case UInt8(ascii: "\r"):
                guard index + 1 < bytes.count else { return nil }
                guard bytes[index + 1] == UInt8(ascii: "\n") else { throw .malformed("a bare CR") }
                let line = position..<index
                position = index + 2
                return line
            case UInt8(ascii: "\n"): throw .malformed("a bare LF")
            case 0: throw .malformed("a NUL")
            default: index += 1
            }
        }
        guard index - position <= limit else { throw refusal }
        return nil
    }

    private mutating func beginBody() throws(Refusal) {
        try head.check()
        bodyStart = position
        if head.chunked {
            stage = .chunkSize(decoded: 0)
        } else {
            guard head.contentLength <= Self.maximumBody else { throw .bodyTooLarge }
            stage = .fixedBody(end: position + head.contentLength)
        }
    }

    private static func chunkSize(_ line: ArraySlice<UInt8>) throws(Refusal) -> Int {
        // No extensions: we do not need them, and two parsers that read them differently would see two requests.
        guard !line.isEmpty, line.count <= 8, line.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
            let size = Int(String(decoding: line, as: UTF8.self), radix: 16)
        else { throw .malformed("a chunk size that is no number") }
        return size
    }
}
