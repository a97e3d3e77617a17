/// Checks that bytes are in the one form `Leaf` writes, in one pass and without taking memory: a verification reads
/// every entry ever written.
struct LeafScanner {
    /// Arrays and objects inside each other, the entry itself among them. The scanner recurses.
    static let maximumDepth = 8

    /// Where the value of the entry's own key `event` is, without quotes: lower-case letters and underscores.
    private(set) var event: Range<Int>?
    /// Where the value of the entry's own key `at` is, without quotes.
    private(set) var at: Range<Int>?
    /// Where the entry's own keys and their values are, in the order of the keys.
    private(set) var members: [Leaf.Member] = []

    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        // As many as the end of a run has, so that the array does not grow while an entry is read.
        members.reserveCapacity(20)
    }

    /// - Throws: `LeafError.malformed` with the place.
    mutating func scan() throws(LeafError) {
        // Once over all of it: outside strings only ASCII is accepted below.
        guard (try? UTF8Span(validating: bytes.span)) != nil else { throw .malformed(offset: 0) }
        guard peek == UInt8(ascii: "{") else { throw malformed }
        try scanValue(depth: 0)
        guard position == bytes.count else { throw malformed }
    }

    private mutating func scanValue(depth: Int) throws(LeafError) {
        switch peek {
        case UInt8(ascii: "{"): try scanObject(depth: depth + 1)
        case UInt8(ascii: "["): try scanArray(depth: depth + 1)
        case UInt8(ascii: "\""): _ = try scanString()
        case UInt8(ascii: "t"): try expect("true")
        case UInt8(ascii: "f"): try expect("false")
        case UInt8(ascii: "n"): try expect("null")
        default: try scanInteger()
        }
    }

    private mutating func scanObject(depth: Int) throws(LeafError) {
        guard depth <= Self.maximumDepth else { throw malformed }
        position += 1
        if skip(UInt8(ascii: "}")) { return }
        var previous: Range<Int>?
        repeat {
            let start = position
            let name = try scanName()
            if let previous, !bytes[previous].lexicographicallyPrecedes(bytes[name]) { throw .malformed(offset: start) }
            previous = name
            guard skip(UInt8(ascii: ":")) else { throw malformed }
            let value = position
            if depth == 1, text(name, equals: "event") {
                event = try scanWord()
            } else if depth == 1, text(name, equals: "at"), peek == UInt8(ascii: "\"") {
                at = try scanString()
            } else {
                try scanValue(depth: depth)
            }
            if depth == 1 { members.append(Leaf.Member(name: name, value: value..<position)) }
        } while skip(UInt8(ascii: ","))
        guard skip(UInt8(ascii: "}")) else { throw malformed }
    }

    private mutating func scanArray(depth: Int) throws(LeafError) {
        guard depth <= Self.maximumDepth else { throw malformed }
        position += 1
        if skip(UInt8(ascii: "]")) { return }
        repeat { try scanValue(depth: depth) } while skip(UInt8(ascii: ","))
        guard skip(UInt8(ascii: "]")) else { throw malformed }
    }

    static func isKeyByte(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private mutating func scanName() throws(LeafError) -> Range<Int> {
        try scanQuoted(Self.isKeyByte)
    }

    private mutating func scanWord() throws(LeafError) -> Range<Int> {
        try scanQuoted { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || $0 == UInt8(ascii: "_") }
    }

    /// One to 64 bytes of a kind between quotes.
    private mutating func scanQuoted(_ isAllowed: (UInt8) -> Bool) throws(LeafError) -> Range<Int> {
        guard skip(UInt8(ascii: "\"")) else { throw malformed }
        let start = position
        while position < bytes.count, isAllowed(bytes[position]) { position += 1 }
        let range = start..<position
        guard (1...64).contains(range.count), skip(UInt8(ascii: "\"")) else { throw malformed }
        return range
    }

    private mutating func scanString() throws(LeafError) -> Range<Int> {
        position += 1
        let start = position
        while true {
            position = endOfPlain
            switch peek {
            case UInt8(ascii: "\""):
                position += 1
                return start..<(position - 1)
            case UInt8(ascii: "\\"): try scanEscape()
            default: throw malformed
            }
        }
    }

    /// Where the bytes end that a string holds as they are.
    private var endOfPlain: Int {
        let bytes = bytes.span
        var place = position
        while place < bytes.count, bytes[place] >= 0x20, bytes[place] != UInt8(ascii: "\""), bytes[place] != UInt8(ascii: "\\") {
            place += 1
        }
        return place
    }

    /// The short escapes, and `\u00xx` in lower case for the control characters that have none.
    private mutating func scanEscape() throws(LeafError) {
        let start = position
        position += 2
        switch position <= bytes.count ? bytes[position - 1] : 0 {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
            UInt8(ascii: "r"), UInt8(ascii: "t"):
            return
        case UInt8(ascii: "u"):
            guard skip(UInt8(ascii: "0")), skip(UInt8(ascii: "0")) else { throw .malformed(offset: start) }
            let high = skip(UInt8(ascii: "1")) ? 0x10 : skip(UInt8(ascii: "0")) ? 0 : 0x20
            guard let low = peek.flatMap(Self.hexValue) else { throw .malformed(offset: start) }
            position += 1
            let code = high + low
            guard code < 0x20, ![0x08, 0x09, 0x0A, 0x0C, 0x0D].contains(code) else { throw .malformed(offset: start) }
        default:
            throw .malformed(offset: start)
        }
    }

    private static func hexValue(_ digit: UInt8) -> Int? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(digit - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(digit - UInt8(ascii: "a")) + 10
        default: nil
        }
    }

    private mutating func scanInteger() throws(LeafError) {
        let start = position
        let isNegative = skip(UInt8(ascii: "-"))
        let digits = position
        // Towards the negative end, which is one further from zero than the other.
        var value: Int64 = 0
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (next, under) = tens.subtractingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            guard !overflow, !under else { throw .malformed(offset: start) }
            value = next
            position += 1
        }
        let count = position - digits
        // No digits, a leading zero, minus zero, or too large.
        guard count > 0, bytes[digits] != UInt8(ascii: "0") || (count == 1 && !isNegative), isNegative || value != .min
        else { throw .malformed(offset: start) }
    }

    private mutating func expect(_ literal: String) throws(LeafError) {
        for byte in literal.utf8 { guard skip(byte) else { throw malformed } }
    }

    private func text(_ range: Range<Int>, equals literal: String) -> Bool {
        range.count == literal.utf8.count && bytes[range].elementsEqual(literal.utf8)
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skip(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private var malformed: LeafError { .malformed(offset: position) }
}
