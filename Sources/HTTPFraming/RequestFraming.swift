/// Finds where a request ends and whether it may pass. Pure: bytes in, a verdict out. Grammar: RFC 9112.
///
/// It is stricter than other parsers. Only complete requests pass, so an incomplete one has no effect, and nothing passes
/// that a proxy in front of us could read differently.
package struct RequestFraming {
    package static let maximumTarget = 4096
    package static let maximumFields = 16384
    /// Each field is remembered, however short it is.
    static let maximumFieldCount = 256
    package static let maximumBody = 65536
    /// The target, and room for method, blanks and version.
    private static let maximumRequestLine = maximumTarget + 64
    /// Chunk sizes and line ends count here, because chunks of one byte are six times as long as their content.
    private static let maximumChunkedBody = 2 * maximumBody
    private static let maximumChunkLine = 128

    package enum Verdict: Equatable {
        /// More bytes are needed. `continueExpected`: the client waits for 100 Continue; true once.
        case incomplete(continueExpected: Bool)
        /// The first `length` bytes are one complete request.
        case complete(length: Int)
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
    private var lines = LineScanner()
    private var head = RequestHead()
    private var bodyStart = 0
    /// How many bytes of the body ``discardBody(from:)`` has removed.
    private var discarded = 0
    private var toldToContinue = false

    /// Whether the head is complete and correct.
    package var isInBody: Bool { bodyStart > 0 }

    /// Whether the head announces a body that is not empty.
    package var hasBody: Bool { isInBody && (head.chunked || head.contentLength > 0) }

    // The parts of the head that have arrived. A refused request may have only some of them.

    package var origin: String? { head.origin }
    package var method: String { head.method }
    /// Without the query.
    package var path: String { Request.path(ofTarget: head.target) }
    package var authorization: String? { head.authorization }
    package var isHTTP10: Bool { head.isHTTP10 }

    /// Continues with everything that has arrived of one request.
    /// - Parameter bytes: those of the previous call and more, except for what ``discardBody(from:)`` removed.
    /// - Throws: why the request must be refused. The connection cannot be used after that.
    package mutating func inspect(_ bytes: [UInt8]) throws(FramingError) -> Verdict {
        while true {
            switch stage {
            case .requestLine:
                guard let line = try lines.next(in: bytes, limit: Self.maximumRequestLine, tooLong: .targetTooLong) else {
                    return .incomplete(continueExpected: false)
                }
                try head.readRequestLine(bytes[line])
                stage = .fields
            case .fields:
                guard let line = try lines.next(in: bytes, limit: Self.maximumFields - head.fieldBytes, tooLong: .fieldsTooLarge) else {
                    return .incomplete(continueExpected: false)
                }
                if line.isEmpty { try beginBody() } else { try head.readField(bytes[line]) }
            case .fixedBody(let end):
                guard bytes.count >= end else { return waiting() }
                return .complete(length: end)
            case .chunkSize(let decoded):
                guard let line = try lines.next(in: bytes, limit: Self.maximumChunkLine, tooLong: .malformed("a chunk size without end")) else {
                    return waiting()
                }
                let size = try Self.chunkSize(bytes[line])
                guard decoded + size <= Self.maximumBody, discarded + lines.position - bodyStart <= Self.maximumChunkedBody else {
                    throw .bodyTooLarge
                }
                stage = size == 0 ? .chunkedEnd : .chunkData(end: lines.position + size, decoded: decoded + size)
            case .chunkData(let end, let decoded):
                guard bytes.count >= end + 2 else { return waiting() }
                guard bytes[end] == UInt8(ascii: "\r"), bytes[end + 1] == UInt8(ascii: "\n") else { throw .malformed("a chunk without end") }
                lines.skip(to: end + 2)
                stage = .chunkSize(decoded: decoded)
            case .chunkedEnd:
                guard let line = try lines.next(in: bytes, limit: 2, tooLong: .malformed("trailer fields")) else { return waiting() }
                guard line.isEmpty else { throw .malformed("trailer fields") }
                return .complete(length: lines.position)
            }
        }
    }

    /// Removes the inspected bytes of the body from `bytes`, for a body that nothing reads. The next ``inspect(_:)``
    /// continues with the rest.
    package mutating func discardBody(from bytes: inout [UInt8]) {
        guard isInBody else { return }
        let end: Int
        switch stage {
        case .fixedBody(let bodyEnd), .chunkData(let bodyEnd, _): end = min(bytes.count, bodyEnd)
        default: end = lines.position
        }
        let count = end - bodyStart
        bytes.removeSubrange(bodyStart..<end)
        discarded += count
        lines.removed(count, notBefore: bodyStart)
        switch stage {
        case .fixedBody(let bodyEnd): stage = .fixedBody(end: bodyEnd - count)
        case .chunkData(let bodyEnd, let decoded): stage = .chunkData(end: bodyEnd - count, decoded: decoded)
        default: break
        }
    }

    /// The request of which all bytes have arrived.
    /// - Parameters:
    ///   - bytes: as in the call of ``inspect(_:)`` that found it complete.
    ///   - length: as found there.
    ///   - withBody: whether the body is in `bytes`, and not discarded.
    func request(from bytes: [UInt8], length: Int, withBody: Bool) -> Request {
        let body = !withBody ? [] : head.chunked ? Self.decodedChunks(bytes[bodyStart..<length]) : Array(bytes[bodyStart..<length])
        return Request(head, fields: RequestFields(head.lines, in: Array(bytes[..<bodyStart])), body: body)
    }

    /// The content of chunks that ``inspect(_:)`` has found to be correct.
    private static func decodedChunks(_ chunks: ArraySlice<UInt8>) -> [UInt8] {
        var content: [UInt8] = []
        var rest = chunks
        while let lineEnd = rest.firstIndex(of: UInt8(ascii: "\r")), let size = try? chunkSize(rest[..<lineEnd]), size > 0 {
            let chunk = rest[lineEnd...].dropFirst(2)
            content += chunk.prefix(size)
            rest = chunk.dropFirst(size + 2)
        }
        return content
    }

    private mutating func waiting() -> Verdict {
        defer { toldToContinue = true }
        return .incomplete(continueExpected: head.expectsContinue && !toldToContinue)
    }

    private mutating func beginBody() throws(FramingError) {
        try head.check()
        bodyStart = lines.position
        if head.chunked {
            stage = .chunkSize(decoded: 0)
        } else {
            guard head.contentLength <= Self.maximumBody else { throw .bodyTooLarge }
            stage = .fixedBody(end: bodyStart + head.contentLength)
        }
    }

    private static func chunkSize(_ line: ArraySlice<UInt8>) throws(FramingError) -> Int {
        // No extensions: nothing here reads them, and two parsers that read them differently see different requests.
        guard !line.isEmpty, line.count <= 8, line.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
            let size = Int(String(decoding: line, as: UTF8.self), radix: 16)
        else { throw .malformed("a chunk size that is not a number") }
        return size
    }
}
