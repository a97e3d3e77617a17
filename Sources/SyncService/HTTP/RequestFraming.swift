/// Where one request on a connection ends, and whether it may pass: a strict gate in front of the HTTP decoder.
///
/// It sees raw bytes and lets a request through only whole, so that nothing is done before a request is complete and
/// so that nothing a decoder might read differently ever reaches it. Pure: bytes in, a verdict out. Grammar: RFC 9112.
struct RequestFraming {
    static let maximumTarget = 4096
    static let maximumFields = 16384
    /// The decoder counts too, and would answer more without a word.
    static let maximumFieldCount = 256
    static let maximumBody = 65536
    /// A method, two blanks and the version beside the target.
    private static let maximumRequestLine = maximumTarget + 64
    /// Chunk sizes and line ends count as well, or one-byte chunks would make a small body large.
    private static let maximumChunkedBody = 2 * maximumBody
    private static let maximumChunkLine = 128

    /// Why a request is refused; the connection is closed with it.
    enum Refusal: Error, Equatable {
        case malformed(String)
        case targetTooLong
        case fieldsTooLarge
        case bodyTooLarge
        case notOffered(String)
        /// Not told by ``inspect(_:)``, which knows no time, but by the guard.
        case tooSlow
        /// All connections together hold as much of unfinished requests as they may; told by the guard.
        case noRoom
    }

    enum Verdict: Equatable {
        /// More bytes are needed. `continueExpected` once, where the client waits for 100 Continue.
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

    private var stage = Stage.requestLine
    /// How far the bytes have been understood; they are not looked at twice.
    private var position = 0
    /// How far the line at `position` has been searched for its end; one-byte segments must not cost more than long ones.
    private var searched = 0
    private var head = RequestHead()
    private var bodyStart = 0
    /// How many of the body's bytes ``discardBody(from:)`` has taken away.
    private var discarded = 0
    private var toldToContinue = false

    /// Whether the head is complete and passed.
    var isInBody: Bool { bodyStart > 0 }

    /// Whether the head announces a body that is not empty.
    var hasBody: Bool { isInBody && (head.chunked || head.contentLength > 0) }

    /// As far as they have come: for the answer to a request that is refused.
    var origin: String? { head.origin }
    var method: String { head.method }
    /// With the query.
    var path: String { head.path }
    var authorization: String? { head.authorization }
    var isHTTP10: Bool { head.isHTTP10 }

    /// Looks at everything received of one request so far. `bytes` only ever grows between calls.
    mutating func inspect(_ bytes: [UInt8]) throws(Refusal) -> Verdict {
        while true {
            switch stage {
            case .requestLine:
                guard let line = try line(bytes, limit: Self.maximumRequestLine, else: .targetTooLong) else { return .incomplete(continueExpected: false) }
                try head.readRequestLine(bytes[line])
                stage = .fields
            case .fields:
                guard let line = try line(bytes, limit: Self.maximumFields - head.fieldBytes, else: .fieldsTooLarge) else { return .incomplete(continueExpected: false) }
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

    /// Takes those bytes of the body that have been inspected away from `bytes`, for a body that nothing reads. The next
    /// ``inspect(_:)`` goes on with what is left.
    mutating func discardBody(from bytes: inout [UInt8]) {
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

    /// The head of a complete request as that of a request without a body: without the fields that announce one.
    func headWithoutBody(of bytes: [UInt8]) -> [UInt8] {
        var head = Array(bytes[..<bodyStart])
        for field in self.head.bodyFields.reversed() { head.removeSubrange(field) }
        return head
    }

    private mutating func waiting() -> Verdict {
        defer { toldToContinue = true }
        return .incomplete(continueExpected: head.expectsContinue && !toldToContinue)
    }

    /// The next line without its CRLF, and `position` behind it; nil where it has not all come.
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
        // No extensions: nobody here reads them, and two parsers that read them differently see two requests.
        guard !line.isEmpty, line.count <= 8, line.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
            let size = Int(String(decoding: line, as: UTF8.self), radix: 16)
        else { throw .malformed("a chunk size that is no number") }
        return size
    }
}

/// What the gate needs to know of a request's head.
private struct RequestHead {
    /// Those that the decoder knows too; it would answer others without a word.
    private static let methods: Set = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND",
        "PROPPATCH", "SEARCH", "UNLOCK", "REPORT", "PURGE", "LINK", "UNLINK",
    ]

    private(set) var fieldBytes = 0
    private var fieldCount = 0
    private(set) var contentLength = 0
    private(set) var chunked = false
    private(set) var closes = false
    private(set) var expectsContinue = false
    private(set) var origin: String?
    private(set) var method = ""
    private(set) var path = ""
    private(set) var authorization: String?
    private(set) var isHTTP10 = false
    /// Where the lines of Content-Length and Transfer-Encoding are, line ends included.
    private(set) var bodyFields: [Range<Int>] = []
    private var hosts = 0
    private var authorizations = 0
    private var hasLength = false
    private var keepsAlive = false

    mutating func readRequestLine(_ line: ArraySlice<UInt8>) throws(RequestFraming.Refusal) {
        let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 3, Self.isToken(parts[0]), !parts[1].isEmpty else { throw .malformed("a request line that is none") }
        guard parts[1].count <= RequestFraming.maximumTarget else { throw .targetTooLong }
        guard parts[1].allSatisfy({ (0x21...0x7e).contains($0) }) else { throw .malformed("a target with other than visible ASCII") }
        method = String(decoding: parts[0], as: UTF8.self)
        guard Self.methods.contains(method) else { throw .notOffered(method == "CONNECT" ? method : "this method") }
        switch String(decoding: parts[2], as: UTF8.self) {
        case "HTTP/1.1": break
        case "HTTP/1.0": isHTTP10 = true
        default: throw .malformed("a version other than HTTP/1.1 and HTTP/1.0")
        }
        path = String(decoding: parts[1], as: UTF8.self)
        guard parts[1].first == UInt8(ascii: "/") || parts[1].elementsEqual("*".utf8) else { throw .malformed("a target that is no path") }
    }

    mutating func readField(_ line: ArraySlice<UInt8>) throws(RequestFraming.Refusal) {
        fieldBytes += line.count + 2
        fieldCount += 1
        guard fieldCount <= RequestFraming.maximumFieldCount else { throw .fieldsTooLarge }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), Self.isToken(line[..<colon]) else { throw .malformed("a field that is none") }
        let raw = line[(colon + 1)...]
        guard raw.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else { throw .malformed("a control character") }
        let value = Self.trimmed(raw)
        switch Self.lowercased(line[..<colon]) {
        case "host": hosts += 1
        case "origin": origin = String(decoding: value, as: UTF8.self)
        case "authorization":
            authorizations += 1
            authorization = String(decoding: value, as: UTF8.self)
        case "content-length":
            guard !hasLength, !value.isEmpty, value.count <= 18, value.allSatisfy({ (0x30...0x39).contains($0) }),
                let length = Int(String(decoding: value, as: UTF8.self))
            else { throw .malformed("Content-Length") }
            hasLength = true
            contentLength = length
            bodyFields.append(line.startIndex..<line.endIndex + 2)
        case "transfer-encoding":
            // To the letter, blanks included: the decoder behind does not take a tab for one.
            let exact = Self.lowercased(raw)
            guard !chunked, exact == "chunked" || exact == " chunked" else { throw .malformed("Transfer-Encoding") }
            chunked = true
            bodyFields.append(line.startIndex..<line.endIndex + 2)
        case "upgrade": throw .notOffered("Upgrade")
        case "expect":
            guard Self.lowercased(value) == "100-continue" else { throw .malformed("Expect") }
            expectsContinue = true
        case "connection":
            for option in value.split(separator: UInt8(ascii: ",")) {
                switch Self.lowercased(Self.trimmed(option)) {
                case "close": closes = true
                case "keep-alive": keepsAlive = true
                case "upgrade": throw .notOffered("Upgrade")
                default: break
                }
            }
        default: break
        }
    }

    /// Checks what only the whole head can tell.
    mutating func check() throws(RequestFraming.Refusal) {
        guard hosts == 1 || hosts == 0 && isHTTP10 else { throw .malformed("not one Host") }
        guard authorizations <= 1 else { throw .malformed("more than one Authorization") }
        guard !(chunked && (hasLength || isHTTP10)) else { throw .malformed("Transfer-Encoding beside Content-Length or in HTTP/1.0") }
        if isHTTP10 {
            expectsContinue = false
            if !keepsAlive { closes = true }
        }
    }

    /// Letters of ASCII only: for Unicode the Kelvin sign is a k, and the decoder behind knows no Unicode.
    private static func lowercased(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        guard let last = bytes.lastIndex(where: { !isBlank($0) }) else { return [] }
        return bytes[...last].drop(while: isBlank)
    }

    private static func isToken(_ bytes: ArraySlice<UInt8>) -> Bool {
        !bytes.isEmpty && bytes.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: "!#$%&'*+-.^_`|~".utf8.contains($0)
            }
        }
    }
}
