import JSON
import Testing

@Suite struct EncodingTests {
    private func text(_ value: JSONValue) -> String {
        String(decoding: value.encoded(), as: UTF8.self)
    }

    @Test(
        arguments: [
            (.null, "null"), (.bool(true), "true"), (.bool(false), "false"),
            (.integer(.min), "-9223372036854775808"), (.number("1.50"), "1.50"),
            (.string(""), #""""#), (.string("a/b"), #""a/b""#), (.string("\"\\"), #""\"\\""#),
            (.string("\u{8}\t\n\u{C}\r"), #""\b\t\n\f\r""#),
            (.string("\u{0}\u{7}\u{B}\u{E}\u{1B}\u{1F}\u{7F}"), "\"\\u0000\\u0007\\u000b\\u000e\\u001b\\u001f\u{7F}\""),
            (.string("é€😀\u{2028}\u{2029}\u{FFFD}"), "\"é€😀\u{2028}\u{2029}\u{FFFD}\""),
            (.string("\nx\n"), #""\nx\n""#),
            (.array([]), "[]"), (.array([.integer(1), .null]), "[1,null]"), (.object([]), "{}"),
            (
                .object([.init("status", .string("running")), .init("a\"", .array([.object([])])), .init("", .null)]),
                #"{"status":"running","a\"":[{}],"":null}"#
            ),
        ] as [(JSONValue, String)])
    func encodes(value: JSONValue, expected: String) {
        // Compared as bytes: == of strings would take an equivalent spelling for the same.
        #expect(value.encoded() == Array(expected.utf8))
        if case .string(let string) = value { #expect(JSONValue.escapedCount(string) == expected.utf8.count - 2) }
    }

    @Test func keepsEveryByteOfALongOutput() throws {
        let output = String(repeating: "2024-01-01 00:00:00 \"Tabel é\" disalin\n", count: 1 << 15)
        let bytes = JSONValue.string(output).encoded()
        #expect(try JSONValue(parsing: bytes, maxBytes: .max, maxDepth: 0) == .string(output))
        #expect(bytes.count == output.utf8.count + 3 * (1 << 15) + 2)
    }

    @Test func absentValuesAreNull() {
        let noString: String? = nil
        let noInteger: Int64? = nil
        #expect(JSONValue.optional(noString) == .null)
        #expect(JSONValue.optional(noInteger) == .null)
        #expect(JSONValue.optional("x") == .string("x"))
        #expect(JSONValue.optional(Int64(7)) == .integer(7))
    }
}

@Suite struct ValueTests {
    @Test func findsTheFirstMember() {
        let value = JSONValue.object([.init("a", .integer(1)), .init("b", .null), .init("a", .integer(2))])
        #expect(value["a"] == .integer(1))
        #expect(value["b"] == .null)
        #expect(value["c"] == nil)
        #expect(JSONValue.array([.string("a")])["a"] == nil)
    }

    @Test func namesAreBytes() {
        #expect(JSONValue.object([.init("\u{e9}", .null)])["e\u{301}"] == nil)
        #expect(JSONValue.object([.init("\u{212A}", .null)])["K"] == nil)
    }

    @Test(
        arguments: [
            (.string("\u{212A}"), .string("K")), (.string("\u{e9}"), .string("e\u{301}")),
            (.object([.init("\u{e9}", .null)]), .object([.init("e\u{301}", .null)])),
            (.array([.string("\u{212A}")]), .array([.string("K")])),
            (.integer(1), .number("1")), (.null, .bool(false)), (.number("1.0"), .number("1.00")),
            (
                .object([.init("a", .null), .init("b", .null)]),
                .object([.init("b", .null), .init("a", .null)])
            ),
        ] as [(JSONValue, JSONValue)])
    func equalityIsExact(left: JSONValue, right: JSONValue) {
        #expect(left != right)
        #expect(left == left)
    }
}
