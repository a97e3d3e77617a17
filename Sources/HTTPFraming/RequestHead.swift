/// What ``RequestFraming`` needs of a request's head, read line by line. Grammar: RFC 9112.
struct RequestHead {
    /// Registered methods. They are answered 405 where they are not offered; others are refused.
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
    /// With the query.
    private(set) var target = ""
    private(set) var authorization: String?
    private(set) var isHTTP10 = false
    private(set) var lines: [RequestFields.Line] = []
    private var hosts = 0
    private var authorizations = 0
    private var hasLength = false
    private var keepsAlive = false

    mutating func readRequestLine(_ line: ArraySlice<UInt8>) throws(FramingError) {
        let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 3, Self.isToken(parts[0]), !parts[1].isEmpty else { throw .malformed("a malformed request line") }
        guard parts[1].count <= RequestFraming.maximumTarget else { throw .targetTooLong }
        guard parts[1].allSatisfy({ (0x21...0x7e).contains($0) }) else { throw .malformed("a target with characters beyond visible ASCII") }
        method = String(decoding: parts[0], as: UTF8.self)
        guard Self.methods.contains(method) else { throw .notOffered(method == "CONNECT" ? method : "this method") }
        switch String(decoding: parts[2], as: UTF8.self) {
        case "HTTP/1.1": break
        case "HTTP/1.0": isHTTP10 = true
        default: throw .malformed("a version other than HTTP/1.1 and HTTP/1.0")
        }
        target = String(decoding: parts[1], as: UTF8.self)
        guard parts[1].first == UInt8(ascii: "/") || parts[1].elementsEqual("*".utf8) else { throw .malformed("a target that is not a path") }
    }

    mutating func readField(_ line: ArraySlice<UInt8>) throws(FramingError) {
        fieldBytes += line.count + 2
        fieldCount += 1
        guard fieldCount <= RequestFraming.maximumFieldCount else { throw .fieldsTooLarge }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), Self.isToken(line[..<colon]) else { throw .malformed("a malformed header field") }
        let raw = line[(colon + 1)...]
        guard raw.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else { throw .malformed("a control character") }
        let name = line[..<colon]
        let value = Self.trimmed(raw)
        if lines.isEmpty { lines.reserveCapacity(16) }
        lines.append(RequestFields.Line(name: name.indices, value: value.indices))
        switch KnownField(name) {
        case .host: hosts += 1
        case .origin: origin = String(decoding: value, as: UTF8.self)
        case .authorization:
            authorizations += 1
            authorization = String(decoding: value, as: UTF8.self)
        case .contentLength:
            guard !hasLength, !value.isEmpty, value.count <= 18, value.allSatisfy({ (0x30...0x39).contains($0) }),
                let length = Int(String(decoding: value, as: UTF8.self))
            else { throw .malformed("Content-Length") }
            hasLength = true
            contentLength = length
        case .transferEncoding:
            // Exactly this value, because some parsers do not trim a tab.
            guard !chunked, raw.isFieldName("chunked") || raw.isFieldName(" chunked") else { throw .malformed("Transfer-Encoding") }
            chunked = true
        case .upgrade: throw .notOffered("Upgrade")
        case .expect:
            guard value.isFieldName("100-continue") else { throw .malformed("Expect") }
            expectsContinue = true
        case .connection:
            for option in value.split(separator: UInt8(ascii: ",")).map(Self.trimmed) {
                if option.isFieldName("close") { closes = true }
                if option.isFieldName("keep-alive") { keepsAlive = true }
                if option.isFieldName("upgrade") { throw .notOffered("Upgrade") }
            }
        case nil: break
        }
    }

    /// Checks what is known only at the end of the head.
    mutating func check() throws(FramingError) {
        guard hosts == 1 || hosts == 0 && isHTTP10 else { throw .malformed("not exactly one Host field") }
        guard authorizations <= 1 else { throw .malformed("more than one Authorization field") }
        guard !(chunked && (hasLength || isHTTP10)) else { throw .malformed("Transfer-Encoding beside Content-Length or in HTTP/1.0") }
        if isHTTP10 {
            expectsContinue = false
            if !keepsAlive { closes = true }
        }
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        guard let last = bytes.lastIndex(where: { !isBlank($0) }) else { return [] }
        return bytes[...last].drop(while: isBlank)
    }

    private static func isToken(_ bytes: ArraySlice<UInt8>) -> Bool { !bytes.isEmpty && bytes.allSatisfy(isTokenByte) }

    /// RFC 9110 section 5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"), UInt8(ascii: "'"),
            UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}

/// The fields that decide whether and how a request is read.
private enum KnownField {
    case host, origin, authorization, contentLength, transferEncoding, upgrade, expect, connection

    init?(_ name: ArraySlice<UInt8>) {
        let (field, lowercased): (KnownField, String)
        switch name.count {
        case 4: (field, lowercased) = (.host, "host")
        case 6: (field, lowercased) = name[name.startIndex] | 0x20 == UInt8(ascii: "o") ? (.origin, "origin") : (.expect, "expect")
        case 7: (field, lowercased) = (.upgrade, "upgrade")
        case 10: (field, lowercased) = (.connection, "connection")
        case 13: (field, lowercased) = (.authorization, "authorization")
        case 14: (field, lowercased) = (.contentLength, "content-length")
        case 17: (field, lowercased) = (.transferEncoding, "transfer-encoding")
        default: return nil
        }
        guard name.isFieldName(lowercased) else { return nil }
        self = field
    }
}
