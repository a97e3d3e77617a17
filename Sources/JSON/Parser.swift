extension JSONValue {
    /// Reads one JSON text, more strictly than RFC 8259 demands: UTF-8 without a byte order mark, no name
    /// twice in an object (compared after unescaping), no lone surrogate, nothing behind the value.
    ///
    /// - Parameters:
    ///   - bytes: the text, which may be hostile.
    ///   - maxBytes: longer texts are refused unread.
    ///   - maxDepth: how many arrays and objects may be nested; a scalar has depth 0. Never more than
    ///     256, whatever is asked for, because the parser recurses.
    /// - Throws: `JSONError` with the reason and the offset.
    package init(parsing bytes: [UInt8], maxBytes: Int, maxDepth: Int) throws(JSONError) {
        guard bytes.count <= maxBytes else { throw JSONError(reason: .tooLarge, offset: max(0, maxBytes)) }
        var parser = Parser(bytes: bytes, maxDepth: min(maxDepth, 256))
        self = try parser.parseText()
    }
}

private struct Parser {
    let bytes: [UInt8]
    let maxDepth: Int
    var position = 0

    mutating func parseText() throws(JSONError) -> JSONValue {
        let value = try parseValue(depth: 0)
        guard peekAfterWhiteSpace() == nil else { throw error(.unexpectedByte) }
        return value
    }

    /// `depth` counts the arrays and objects around this value.
    private mutating func parseValue(depth: Int) throws(JSONError) -> JSONValue {
        guard let first = peekAfterWhiteSpace() else { throw error(.unexpectedEnd) }
        switch first {
        case UInt8(ascii: "{"):
            return .object(try parseMembers(depth: try deeper(depth)))
        case UInt8(ascii: "["):
            return .array(try parseElements(depth: try deeper(depth)))
        case UInt8(ascii: "\""):
            return .string(try parseString())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return try parseNumber()
        case UInt8(ascii: "t"):
            try expect("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try expect("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try expect("null")
            return .null
        default:
            throw error(.unexpectedByte)
        }
    }

    private func deeper(_ depth: Int) throws(JSONError) -> Int {
        guard depth < maxDepth else { throw error(.tooDeep) }
        return depth + 1
    }

    private mutating func parseMembers(depth: Int) throws(JSONError) -> [JSONValue.Member] {
        var members: [JSONValue.Member] = []
        // Bytes, not strings: a set of strings follows canonical equivalence. Hashing is seeded per process,
        // so a hostile text cannot make this quadratic.
        var names: Set<[UInt8]> = []
        // Few names are faster compared one by one.
        let fewNames = 16
        position += 1
        if peekAfterWhiteSpace() == UInt8(ascii: "}") {
            position += 1
            return members
        }
        while true {
            guard peekAfterWhiteSpace() == UInt8(ascii: "\"") else { throw unexpected() }
            let start = position
            let name = try parseString()
            if members.count == fewNames { names = Set(members.map { Array($0.name.utf8) }) }
            let isNew =
                members.count < fewNames
                ? !members.contains { $0.name.utf8.elementsEqual(name.utf8) } : names.insert(Array(name.utf8)).inserted
            guard isNew else { throw JSONError(reason: .duplicateName, offset: start) }
            guard peekAfterWhiteSpace() == UInt8(ascii: ":") else { throw unexpected() }
            position += 1
            members.append(JSONValue.Member(name, try parseValue(depth: depth)))
            if try parseSeparator(closing: UInt8(ascii: "}")) { return members }
        }
    }

    private mutating func parseElements(depth: Int) throws(JSONError) -> [JSONValue] {
        var elements: [JSONValue] = []
        position += 1
        if peekAfterWhiteSpace() == UInt8(ascii: "]") {
            position += 1
            return elements
        }
        while true {
            elements.append(try parseValue(depth: depth))
            if try parseSeparator(closing: UInt8(ascii: "]")) { return elements }
        }
    }

    /// Takes a comma or the closing bracket; true for the bracket.
    private mutating func parseSeparator(closing: UInt8) throws(JSONError) -> Bool {
        let byte = peekAfterWhiteSpace()
        guard byte == closing || byte == UInt8(ascii: ",") else { throw unexpected() }
        position += 1
        return byte == closing
    }

    private mutating func parseString() throws(JSONError) -> String {
        let start = position
        position += 1
        var text: [UInt8] = []
        var unescaped = position
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: "\""):
                let rest = bytes[unescaped..<position]
                position += 1
                // An escape always yields a whole sequence, so validating the result validates the raw bytes.
                guard let string = text.isEmpty ? String(validating: rest, as: UTF8.self) : String(validating: text + rest, as: UTF8.self) else {
                    throw JSONError(reason: .invalidUTF8, offset: start)
                }
                return string
            case UInt8(ascii: "\\"):
                text += bytes[unescaped..<position]
                text += try parseEscape().utf8
                unescaped = position
            case 0..<0x20:
                throw error(.controlCharacter)
            default:
                position += 1
            }
        }
        throw error(.unexpectedEnd)
    }

    private mutating func parseEscape() throws(JSONError) -> String {
        let start = position
        position += 1
        guard let byte = peek() else { throw error(.unexpectedEnd) }
        position += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return String(try parseCodePoint(escapeAt: start))
        default: throw JSONError(reason: .invalidEscape, offset: start)
        }
    }

    /// The digits behind `\u` and, for characters beyond U+FFFF, the second half of the pair.
    private mutating func parseCodePoint(escapeAt start: Int) throws(JSONError) -> Character {
        var code = try parseHexDigits()
        if (0xD800...0xDBFF).contains(code), bytes[position...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) {
            position += 2
            let low = try parseHexDigits()
            guard (0xDC00...0xDFFF).contains(low) else { throw JSONError(reason: .loneSurrogate, offset: start) }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw JSONError(reason: .loneSurrogate, offset: start) }
        return Character(scalar)
    }

    private mutating func parseHexDigits() throws(JSONError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek() else { throw error(.unexpectedEnd) }
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw error(.invalidEscape) }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }

    private mutating func parseNumber() throws(JSONError) -> JSONValue {
        let start = position
        var isInteger = true
        if peek() == UInt8(ascii: "-") { position += 1 }
        // A zero stands alone: whatever follows "0" in "01" is not allowed there.
        if peek() == UInt8(ascii: "0") { position += 1 } else { try parseDigits() }
        if peek() == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            try parseDigits()
        }
        if peek() == UInt8(ascii: "e") || peek() == UInt8(ascii: "E") {
            isInteger = false
            position += 1
            if peek() == UInt8(ascii: "+") || peek() == UInt8(ascii: "-") { position += 1 }
            try parseDigits()
        }
        let literal = String(decoding: bytes[start..<position], as: UTF8.self)
        // "-0" stays a literal: as an integer it would lose its sign.
        if isInteger, literal != "-0", let integer = Int64(literal) { return .integer(integer) }
        return .number(literal)
    }

    private mutating func parseDigits() throws(JSONError) {
        let start = position
        while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        guard position > start else { throw error(position == bytes.count ? .unexpectedEnd : .invalidNumber) }
    }

    private mutating func expect(_ literal: StaticString) throws(JSONError) {
        for byte in literal.description.utf8 {
            guard peek() == byte else { throw unexpected() }
            position += 1
        }
    }

    private func peek() -> UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    private mutating func peekAfterWhiteSpace() -> UInt8? {
        while let byte = peek(), byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
        return peek()
    }

    private func unexpected() -> JSONError {
        error(position < bytes.count ? .unexpectedByte : .unexpectedEnd)
    }

    private func error(_ reason: JSONError.Reason) -> JSONError {
        JSONError(reason: reason, offset: position)
    }
}
