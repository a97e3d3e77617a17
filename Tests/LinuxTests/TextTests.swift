import Testing

@testable import Linux

@Suite struct TextTests {
    @Test(arguments: [
        ("", ""), (" ", ""), (" \t\r", ""), ("a", "a"), ("\t a b \r", "a b"), ("a\n", "a\n"), ("\u{a0}a", "\u{a0}a"), ("a \r", "a"),
        // With a combining accent the blank is no character of its own, and still a blank.
        (" \u{301}a", "\u{301}a"),
    ])
    func blanksTabsAndCarriageReturnsAreTrimmed(text: String, expected: String) {
        #expect(Array(text.trimmed().unicodeScalars) == Array(expected.unicodeScalars))
    }
}
