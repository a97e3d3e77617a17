import TestSupport
import Testing

@testable import HTTPServer

@Suite struct LongTextTests {
    @Test(
        arguments: [
            ("abc", 3), ("é", 2), ("abé", 4), ("ab€", 5), ("a😀", 5),
        ] as [(String, Int)])
    func wholeCharactersStayTogether(text: String, count: Int) {
        let bytes = Array(text.utf8)
        #expect(LongText.endOfWholeCharacters(bytes[...]) == count)
        let last = text.last.map { String($0).utf8.count } ?? 0
        for cut in 1..<max(2, last) where last > 1 { #expect(LongText.endOfWholeCharacters(bytes.dropLast(cut)) == count - last) }
    }

    /// For any bytes, the pieces decode like the whole.
    @Test func aCutNeverChangesWhatIsShown() {
        var generator = SeededGenerator(seed: 5)
        let bytes: [UInt8] = [0x61, 0x80, 0xBF, 0xC3, 0xE2, 0x82, 0xAC, 0xED, 0xF0, 0x9F, 0x98, 0xF4, 0xFF]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...9, using: &generator)).map { _ in bytes.randomElement(using: &generator) ?? 0 }
            let end = LongText.endOfWholeCharacters(text[...])
            for rest in [[], [0x61], [0x80], [0xAC, 0x62]] as [[UInt8]] {
                let whole = String(decoding: text + rest, as: UTF8.self)
                let parts = String(decoding: text[..<end], as: UTF8.self) + String(decoding: text[end...] + rest, as: UTF8.self)
                #expect(Array(whole.utf8) == Array(parts.utf8), "\(text) and \(rest)")
            }
        }
    }

    private func pieces(of text: [UInt8], readingAtMost limit: Int = .max) async throws -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        let long = LongText(count: Int64(text.count)) { offset, count in
            Array(text[Int(offset)..<Int(offset) + min(Int(count), limit)])
        }
        try await long.forEachPiece { pieces.append($0) }
        #expect(try await long.escapedCount() == pieces.reduce(0) { $0 + $1.count })
        return pieces
    }

    @Test(arguments: [1, 2, 3, 7, 16384, 100_000])
    func piecesAreTheTextHoweverItIsRead(limit: Int) async throws {
        let text = Array(String(repeating: "a\"é\n€\u{1}😀", count: 3000).utf8)
        let pieces = try await pieces(of: text, readingAtMost: limit)
        #expect(String(decoding: pieces.joined(), as: UTF8.self) == String(repeating: #"a\"é\n€\u0001😀"#, count: 3000))
        #expect(pieces.allSatisfy { $0.count <= 6 * 16384 })
    }

    @Test func bytesThatAreNotUTF8AreReplaced() async throws {
        #expect(try await pieces(of: Array("a".utf8) + [0xFF] + Array("b".utf8) + [0xC3]).joined().elementsEqual("a\u{FFFD}b\u{FFFD}".utf8))
        #expect(try await pieces(of: []).isEmpty)
    }

    @Test func aTextThatHasBecomeShorterIsAnError() async {
        let text = LongText(count: 10) { offset, _ in offset == 0 ? Array("abc".utf8) : [] }
        await #expect(throws: RequestError.self) { try await text.forEachPiece { _ in } }
    }
}
