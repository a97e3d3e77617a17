import TestSupport
import Testing

@testable import JSON

@Suite struct ParsingTests {
    private func parse(_ text: String, maxBytes: Int = 8192, maxDepth: Int = 8) throws(JSONError) -> JSONValue {
        try JSONValue(parsing: Array(text.utf8), maxBytes: maxBytes, maxDepth: maxDepth)
    }

    private func refusal(_ bytes: [UInt8], maxBytes: Int = 8192, maxDepth: Int = 8) -> JSONError? {
        do {
            _ = try JSONValue(parsing: bytes, maxBytes: maxBytes, maxDepth: maxDepth)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        arguments: [
            ("null", .null), ("true", .bool(true)), (" \t\r\nfalse \t\r\n", .bool(false)),
            ("0", .integer(0)), ("-1", .integer(-1)),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .number("9223372036854775808")),
            ("-9223372036854775809", .number("-9223372036854775809")),
            ("-0", .number("-0")), ("0.0", .number("0.0")), ("1E+2", .number("1E+2")), ("1e400", .number("1e400")),
            ("-0.5e-7", .number("-0.5e-7")), ("10", .integer(10)),
            (#""""#, .string("")), (#""a/\/b""#, .string("a//b")),
            (#""\"\\\b\f\n\r\t""#, .string("\"\\\u{8}\u{C}\n\r\t")),
            (#""\u0000\u00e9\u00E9\uFFFF""#, .string("\u{0}éé\u{FFFF}")),
            (#""\ud83d\ude00\uDBFF\uDFFF""#, .string("😀\u{10FFFF}")),
            ("\"\u{7F}é€😀\u{2028}\"", .string("\u{7F}é€😀\u{2028}")),
            ("[]", .array([])), ("[ ]", .array([])), ("{ }", .object([])),
            ("[1 , [ ] ,\"x\"]", .array([.integer(1), .array([]), .string("x")])),
            (
                #"{ "b" : 1 , "a" : { "b" : null } }"#,
                .object([.init("b", .integer(1)), .init("a", .object([.init("b", .null)]))])
            ),
            (#"{"a":1,"A":2,"":3}"#, .object([.init("a", .integer(1)), .init("A", .integer(2)), .init("", .integer(3))])),
            // Canonically equivalent names are two names.
            (
                "{\"\u{e9}\":1,\"e\u{301}\":2}",
                .object([.init("\u{e9}", .integer(1)), .init("e\u{301}", .integer(2))])
            ),
        ] as [(String, JSONValue)])
    func accepts(text: String, value: JSONValue) throws {
        #expect(try parse(text) == value)
    }

    @Test(
        arguments: [
            ("", .unexpectedEnd), (" ", .unexpectedEnd), ("[", .unexpectedEnd), ("{", .unexpectedEnd),
            ("[1", .unexpectedEnd), ("[1,", .unexpectedEnd), (#"{"a""#, .unexpectedEnd), (#"{"a":"#, .unexpectedEnd),
            (#"{"a":1"#, .unexpectedEnd), (#"{"a":1,"#, .unexpectedEnd), (#"""#, .unexpectedEnd),
            (#""\"#, .unexpectedEnd), (#""\u12"#, .unexpectedEnd), ("tru", .unexpectedEnd), ("-", .unexpectedEnd),
            ("1.", .unexpectedEnd), ("1e", .unexpectedEnd), ("1e+", .unexpectedEnd),
            ("1 2", .unexpectedByte), ("nullx", .unexpectedByte), ("{}}", .unexpectedByte), ("{}\u{0}", .unexpectedByte),
            ("[1,]", .unexpectedByte), ("[,1]", .unexpectedByte), ("[1 2]", .unexpectedByte), ("[1}", .unexpectedByte),
            (#"{"a":1,}"#, .unexpectedByte), (#"{"a" 1}"#, .unexpectedByte), ("{a:1}", .unexpectedByte),
            (#"{1:1}"#, .unexpectedByte), ("{'a':1}", .unexpectedByte), ("{,}", .unexpectedByte),
            ("\u{FEFF}1", .unexpectedByte), ("\u{A0}1", .unexpectedByte), ("\u{B}1", .unexpectedByte),
            ("True", .unexpectedByte), ("nul ", .unexpectedByte), ("NaN", .unexpectedByte), ("Infinity", .unexpectedByte),
            ("// c\n1", .unexpectedByte), ("+1", .unexpectedByte), (".5", .unexpectedByte),
            ("01", .unexpectedByte), ("-01", .unexpectedByte), ("00", .unexpectedByte), ("0x10", .unexpectedByte),
            ("1_000", .unexpectedByte),
            ("-a", .invalidNumber), ("--1", .invalidNumber), ("1.e5", .invalidNumber), ("1ee5", .invalidNumber),
            ("[-]", .invalidNumber), ("-Infinity", .invalidNumber),
            ("\"a\nb\"", .controlCharacter), ("\"\u{0}\"", .controlCharacter), ("\"\u{1F}\"", .controlCharacter),
            (#""\x41""#, .invalidEscape), (#""\'""#, .invalidEscape), (#""\u12g4""#, .invalidEscape),
            (#""\U0041""#, .invalidEscape), (#""\u+123""#, .invalidEscape),
            (#""\ud800""#, .loneSurrogate), (#""\udc00""#, .loneSurrogate), (#""\ud800x""#, .loneSurrogate),
            (#""\ud800\n""#, .loneSurrogate), (#""\ud800\ud800""#, .loneSurrogate), (#""\udc00\ud800""#, .loneSurrogate),
            (#"{"a":1,"a":1}"#, .duplicateName), (#"{"a":1,"b":2,"\u0061":3}"#, .duplicateName),
            (#"[{"x":{"a":1,"a":2}}]"#, .duplicateName), (#"{"":1,"":1}"#, .duplicateName),
            (#"{"\ud83d\ude00":1,"😀":2}"#, .duplicateName),
        ] as [(String, JSONError.Reason)])
    func refuses(text: String, reason: JSONError.Reason) {
        #expect(refusal(Array(text.utf8))?.reason == reason)
    }

    @Test(
        arguments: [
            [0xFF], [0x80], [0xC3], [0xC0, 0xAF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0xC3, 0x5C, 0x6E], [0xC3, 0x5C, 0x75, 0x30, 0x30, 0x41, 0x39], [0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func refusesWhatIsNotUTF8(inside: [UInt8]) {
        #expect(refusal([0x22] + inside + [0x22])?.reason == .invalidUTF8)
    }

    @Test func refusesUTF16() {
        #expect(refusal([0x31, 0x00])?.reason == .unexpectedByte)
        #expect(refusal([0xFE, 0xFF, 0x00, 0x31])?.reason == .unexpectedByte)
    }

    @Test func tellsWhere() {
        #expect(refusal(Array(#"{"a":1,"a":2}"#.utf8)) == JSONError(reason: .duplicateName, offset: 7))
        #expect(refusal(Array("[1,x]".utf8)) == JSONError(reason: .unexpectedByte, offset: 3))
    }

    @Test func countsBytesNotCharacters() throws {
        #expect(try parse("\"é\"", maxBytes: 4) == .string("é"))
        #expect(refusal(Array("\"é\"".utf8), maxBytes: 3)?.reason == .tooLarge)
        #expect(refusal([], maxBytes: -1)?.reason == .tooLarge)
    }

    @Test func countsDepth() throws {
        for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
            let eight = String(repeating: open, count: 8) + "1" + String(repeating: close, count: 8)
            #expect(throws: Never.self) { try parse(eight) }
            #expect(refusal(Array(("[" + eight + "]").utf8))?.reason == .tooDeep)
        }
        #expect(try parse("1", maxDepth: 0) == .integer(1))
        #expect(refusal(Array("[]".utf8), maxDepth: 0)?.reason == .tooDeep)
    }

    @Test func siblingsAreNotDepth() throws {
        #expect(throws: Never.self) { try parse("[" + String(repeating: "[],", count: 100) + "{}]", maxDepth: 2) }
    }

    @Test func neverRecursesWithoutEnd() {
        let brackets = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        #expect(refusal(brackets, maxBytes: .max, maxDepth: .max) == JSONError(reason: .tooDeep, offset: 256))
    }

    @Test func findsADuplicateAmongManyNames() {
        let names = (0..<100_000).map { "\"\($0)\":0," }.joined()
        let text = Array("{\(names)\"0\":0}".utf8)
        #expect(refusal(text, maxBytes: .max)?.reason == .duplicateName)
    }

    @Test func neverTrapsAndReadsBackWhatItWrote() throws {
        let seeds = [
            #"{"sub":"a\u00e9\ud83d\ude00","exp":1800000000,"f":-1.5e-3,"r":["x",{"y":null}],"t":true}"#,
            #"[[[[]]],"\\\"\/\b\f\n\r\t",0,-0,1E400,{"":{}}]"#,
        ].map { Array($0.utf8) }
        var random = SeededGenerator(seed: 7159)
        var accepted = 0
        for _ in 0..<20_000 {
            let mutated = random.mutate(seeds[Int.random(in: 0..<seeds.count, using: &random)])
            guard let value = try? JSONValue(parsing: mutated, maxBytes: 8192, maxDepth: 8) else { continue }
            accepted += 1
            let again = try JSONValue(parsing: value.encoded(), maxBytes: .max, maxDepth: 8)
            #expect(again == value)
        }
        #expect(accepted > 100)
    }
}
