import JSON
import OpenSSL
import TestSupport
import Testing

@testable import AuditLog

@Suite struct LeafTests {
    static let noon = LeafTime(microseconds: 1_760_000_000_000_000)

    static func leaf(_ fields: [JSONValue.Member], event: Event = .runStarted) throws -> Leaf {
        try Leaf(event, at: noon, fields)
    }

    static func text(_ leaf: Leaf) -> String { String(decoding: leaf.bytes, as: UTF8.self) }

    @Test func oneWayToWriteIt() throws {
        let leaf = try Self.leaf([
            JSONValue.Member("user", .string("ana")),
            JSONValue.Member("b", .object([JSONValue.Member("z", .null), JSONValue.Member("A", .bool(true))])),
            JSONValue.Member("run", .integer(-7)), JSONValue.Member("list", .array([.integer(0), .bool(false), .string("/é")])),
        ])
        #expect(
            Self.text(leaf)
                == #"{"at":"2025-10-09T08:53:20.000000Z","b":{"A":true,"z":null},"event":"run_started","list":[0,false,"/é"],"run":-7,"user":"ana"}"#
        )
        #expect(leaf.event == "run_started")
        #expect(leaf.at == Self.noon)
        #expect(leaf.object["run"] == .integer(-7))
        #expect(try Leaf(stored: leaf.bytes) == leaf)
        #expect(leaf.hash == Hash.leaf(leaf.bytes))
    }

    @Test(arguments: Event.allCases) func everyEventHasAName(event: Event) throws {
        #expect(try Self.leaf([], event: event).event == event.rawValue)
    }

    /// What may stand in user, reason and header fields.
    @Test(arguments: [
        "a\rb", "a\nb", "a\r\n{\"event\":\"genesis\"}", "\"", "\\", "\\\"", "\0", "\u{1}\u{1F}\u{7F}",
        "\u{2028}\u{FEFF}",
        "e\u{301}", "👩‍👩‍👧", "", "\",\"outcome\":\"succeeded", "— log.example AAAA", "\u{8}\t\u{C}\u{1B}[2J",
    ])
    func anyStringGivesOneEntry(string: String) throws {
        let leaf = try Self.leaf([JSONValue.Member("reason", .string(string)), JSONValue.Member("user", .string(string))])
        #expect(!leaf.bytes.contains { $0 < 0x20 })
        #expect(try Leaf(stored: leaf.bytes) == leaf)
        #expect(leaf.object["user"] == .string(string))
        guard case .object(let members) = leaf.object else {
            Issue.record("no object")
            return
        }
        #expect(members.map(\.name) == ["at", "event", "reason", "user"])
    }

    @Test(arguments: ["a", "\0", "\"", "\n", "é", "€", "👩", "\u{301}"])
    func sixtyFourKiBGiveABoundedEntry(character: String) throws {
        let string = String(repeating: character, count: 65536 / character.utf8.count)
        let fields = (0..<25).map { JSONValue.Member("field_\($0)", .string(string)) }
        let leaf = try Self.leaf(fields)
        #expect(leaf.bytes.count <= Leaf.maximumBytes)
        #expect(try Leaf(stored: leaf.bytes) == leaf)
        #expect(leaf.object["field_24"] == .string(Leaf.cut(string)))
        #expect(!leaf.bytes.contains { $0 < 0x20 })
        // Another end that is cut off gives another entry.
        #expect(
            try Self.leaf([JSONValue.Member("user", .string(string + "x"))])
                != Self.leaf([JSONValue.Member("user", .string(string))]))
    }

    @Test func whereAStringIsCut() throws {
        let limit = Leaf.maximumStringBytes
        let whole = String(repeating: "a", count: limit)
        #expect(Leaf.cut(whole) == whole)
        #expect(
            Leaf.cut(whole + "b") == whole
                + "…[1025 bytes, sha256 \(hex(try SHA256.digest(Array((whole + "b").utf8))))]")
        #expect(Leaf.cut(String(repeating: "\0", count: 170)).utf8.count == 170)
        #expect(
            Leaf.cut(String(repeating: "\0", count: 171)).hasPrefix(String(repeating: "\0", count: 170) + "…[171 bytes")
        )
        #expect(Leaf.cut(String(repeating: "\"", count: 513)).hasPrefix(String(repeating: "\"", count: 512) + "…"))
        // A character of four bytes does not end in its middle.
        let edge = String(repeating: "a", count: limit - 3)
        #expect(Leaf.cut(edge + "😀").hasPrefix(edge + "…[\(limit + 1) bytes"))
        // What looks like a cut string is short enough to be known as none, or is cut itself.
        #expect(Leaf.cut("…[1025 bytes]") == "…[1025 bytes]")
        #expect(Leaf.cut(Leaf.cut(whole + "b")).utf8.count > limit)
    }

    @Test func anEntryHoldsWhatItWasMadeOf() throws {
        let limit = Leaf.maximumStringBytes
        let whole = String(repeating: "a", count: limit)
        let values: [JSONValue] = [
            .null, .bool(true), .integer(-7), .string(""), .string("a\nb"), .string(#"a\nb"#), .string("\"é\u{1}"), .string(whole),
            .string(whole + "b"), .string(whole + "c"), .string(Leaf.cut(whole + "d")), .string("7"), .string("null"),
        ]
        for (place, value) in values.enumerated() {
            let leaf = try Self.leaf([JSONValue.Member("a", value), JSONValue.Member("b", .string("z"))])
            // Outside the macro, which takes no span.
            func holds(_ key: String, _ value: [UInt8]) -> Bool { leaf.holds(key, value.span) }
            for (other, candidate) in values.enumerated() {
                #expect(holds("a", candidate.encoded()) == (place == other), "\(place) \(other)")
                #expect(!holds("c", candidate.encoded()))
            }
            #expect(!holds("a", []))
        }
    }

    @Test func fieldsThatCannotBeAnEntry() {
        #expect(throws: LeafError.number) { try Self.leaf([JSONValue.Member("a", .number("1.5"))]) }
        #expect(throws: LeafError.number) { try Self.leaf([JSONValue.Member("a", .array([.number("1e3")]))]) }
        for name in ["", "a b", "a\"", "a\\", "a\n", "é", String(repeating: "a", count: 65)] {
            #expect(throws: LeafError.keyName, "\(name)") { try Self.leaf([JSONValue.Member(name, .null)]) }
            #expect(throws: LeafError.keyName) {
                try Self.leaf([JSONValue.Member("a", .object([JSONValue.Member(name, .null)]))])
            }
        }
        for twice in ["event", "at", "a"] {
            #expect(throws: LeafError.keyName) { try Self.leaf([JSONValue.Member(twice, .null), JSONValue.Member("a", .null)]) }
        }
        let strings = (0..<40).map { JSONValue.Member("field_\($0)", .string(String(repeating: "a", count: 1024))) }
        #expect(throws: LeafError.self) { try Self.leaf(strings) }
        var deep = JSONValue.null
        for _ in 0..<300 { deep = .array([deep]) }
        #expect(throws: LeafError.self) { try Self.leaf([JSONValue.Member("a", deep)]) }
    }

    @Test(arguments: [
        "", "{}", "[]", "null", #"{"at":"T","event":"x"} "#, #" {"at":"T","event":"x"}"#, #"{"at": "T","event":"x"}"#,
        #"{"event":"x","at":"T"}"#, #"{"at":"T","at":"T","event":"x"}"#, #"{"at":"T","event":"x","event":"x"}"#,
        #"{"at":"T","event":"X"}"#, #"{"at":"T","event":""}"#, #"{"at":"T","event":7}"#, #"{"at":"T","event":"x\n"}"#,
        #"{"at":"T","event":"x","f":1.5}"#, #"{"at":"T","event":"x","f":1e3}"#, #"{"at":"T","event":"x","f":01}"#,
        #"{"at":"T","event":"x","f":-0}"#, #"{"at":"T","event":"x","f":+1}"#, #"{"at":"T","event":"x","f":-}"#,
        #"{"at":"T","event":"x","f":9223372036854775808}"#, #"{"at":"T","event":"x","f":-9223372036854775809}"#,
        #"{"at":"T","event":"x","f":99999999999999999999}"#, #"{"at":"T","event":"x","f":tru}"#,
        #"{"at":"T","event":"x","f":NaN}"#,
        #"{"at":"T","event":"x","f":"\/"}"#, #"{"at":"T","event":"x","f":"\u0041"}"#,
        #"{"at":"T","event":"x","f":"\u000a"}"#,
        #"{"at":"T","event":"x","f":"\u001B"}"#, #"{"at":"T","event":"x","f":"\u0020"}"#,
        #"{"at":"T","event":"x","f":"\x"}"#,
        #"{"at":"T","event":"x","f":"\"#, #"{"at":"T","event":"x","f":"\u00"#, #"{"at":"T","event":"x","f":"a"#,
        #"{"at":"T","event":"x",}"#, #"{"at":"T","event":"x","f"}"#, #"{"at":"T","event":"x","":1}"#,
        #"{"at":"T","event":"x","é":1}"#,
        #"{"at":"T","event":"x","f":[1,]}"#, #"{"at":"T","event":"x","f":[1 ,2]}"#,
        #"{"at":"T","event":"x","f":{"b":1,"a":1}}"#,
        #"{"at":"T","event":"x"}{"at":"T","event":"x"}"#, #"{"at":"T","event":"x"}"# + "\n", #"{"at":"T"}"#,
        #"{"event":"x"}"#,
        #"{"at":{"at":"T"},"event":"x"}"#, #"{"f":{"at":"T","event":"x"}}"#, #"{"at":"U","event":"x"}"#,
        #"{"at":null,"event":"x"}"#,
    ])
    func otherBytesAreNoEntry(text: String) {
        let time = Self.noon.description
        let text = text.replacing("T", with: time).replacing("U", with: time.dropLast() + "z")
        #expect(throws: LeafError.self) { try Leaf(stored: Array(text.utf8)) }
    }

    @Test func whatIsAllowedToStandInAnEntry() throws {
        let text =
            #"{"A":9223372036854775807,"at":"2025-10-09T08:53:20.000000Z","b":-9223372036854775808,"c":"\u0000\u001b\u001f\b\t\n\f\r\"\\/é","d":{},"e":[],"event":"of_a_later_version","f":[[[[[[[]]]]]]],"g":0}"#
        let leaf = try Leaf(stored: Array(text.utf8))
        #expect(leaf.event == "of_a_later_version")
        #expect(leaf.object.encoded() == leaf.bytes)
        #expect(throws: LeafError.self) {
            try Leaf(stored: Array(text.replacing("[[[[[[[]]]]]]]", with: "[[[[[[[[]]]]]]]]").utf8))
        }
        #expect(throws: LeafError.malformed(offset: 0)) { try Leaf(stored: leaf.bytes.map { $0 == 0xC3 ? 0xFF : $0 }) }
        #expect(throws: LeafError.tooLarge(32769)) { try Leaf(stored: [UInt8](repeating: 0x20, count: 32769)) }
        let hostile = Array(String(repeating: "[", count: 32768).utf8)
        #expect(throws: LeafError.self) { try Leaf(stored: hostile) }
        #expect(throws: LeafError.self) { try Leaf(stored: Array(#"{"a":"#.utf8) + hostile.dropFirst(10)) }
    }

    /// What the scanner lets pass, the JSON parser reads, and it is the only way to write it.
    @Test func damagedEntriesNeitherTrapNorAreTwoThings() throws {
        let originals = try [
            Self.leaf([
                JSONValue.Member("user", .string("ana \"x\" \n\u{1}\\é😀")), JSONValue.Member("n", .integer(-120)),
                JSONValue.Member(
                    "list",
                    .array([
                        .null, .bool(true), .object([JSONValue.Member("k", .string("")), JSONValue.Member("l", .integer(0))]),
                    ])),
            ]).bytes,
            Self.leaf([]).bytes,
        ]
        var random = SeededGenerator(seed: 8259)
        var accepted = 0
        for _ in 0..<40_000 {
            let original = originals[Int.random(in: 0..<originals.count, using: &random)]
            let mutated = random.mutate(original)
            guard mutated != original, let leaf = try? Leaf(stored: mutated) else { continue }
            accepted += 1
            #expect(leaf.object.encoded() == mutated)
            #expect(leaf.object["event"] == .string(leaf.event))
            #expect(leaf.object["at"] == .string(leaf.at.description))
        }
        #expect(accepted > 1000)
    }
}

@Suite struct LeafTimeTests {
    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000000Z"), (1, "1970-01-01T00:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"), (1_767_225_599_999_999, "2025-12-31T23:59:59.999999Z"),
        (4_107_542_399_000_000, "2100-02-28T23:59:59.000000Z"), (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        (-62_167_219_200_000_000, "0000-01-01T00:00:00.000000Z"),
    ])
    func knownTimes(microseconds: Int64, text: String) {
        #expect(LeafTime(microseconds: microseconds).description == text)
        #expect(LeafTime(text.utf8)?.microseconds == microseconds)
    }

    @Test func thereAndBack() {
        var random = SeededGenerator(seed: 3339)
        var previous = LeafTime(microseconds: .min)
        for _ in 0..<20_000 {
            let time = LeafTime(
                microseconds: Int64.random(in: -62_167_219_200_000_000...253_402_300_799_999_999, using: &random))
            #expect(LeafTime(time.description.utf8) == time)
            #expect((time < previous) == (time.description < previous.description))
            previous = time
        }
        #expect(LeafTime(microseconds: .max).description == "9999-12-31T23:59:59.999999Z")
        #expect(LeafTime(microseconds: .min).description == "0000-01-01T00:00:00.000000Z")
    }

    @Test(arguments: [
        "", "2025-10-09T08:53:20Z", "2025-10-09T08:53:20.000Z", "2025-10-09T08:53:20.0000000Z",
        "2025-10-09 08:53:20.000000Z",
        "2025-10-09T08:53:20.000000+00:00", "2025-13-09T08:53:20.000000Z", "2025-00-09T08:53:20.000000Z",
        "2025-02-29T08:53:20.000000Z",
        "2025-04-31T08:53:20.000000Z", "2025-10-00T08:53:20.000000Z", "2025-10-09T24:00:00.000000Z",
        "2025-10-09T08:60:20.000000Z",
        "2025-10-09T08:53:60.000000Z", "-025-10-09T08:53:20.000000Z", "2025-10-09t08:53:20.000000z",
        "٢025-10-09T08:53:20.00000Z",
    ])
    func otherTextsAreNoTimes(text: String) {
        #expect(LeafTime(text.utf8) == nil)
    }
}
