import Diagnostics
import Testing

@testable import SyncService

@Suite struct EnvironmentFileTests {
    @Test(
        arguments: [
            ("A=b", "b"), ("A=", ""), ("  export A = b c  ", nil), ("export A=b c", "b c"), ("A=b # comment", "b"), ("A=b#c", "b#c"),
            ("A='b # c' # d", "b # c"), ("A='b\\n'", "b\\n"), (#"A="b \"c\" \\ \$ \n""#, #"b "c" \ $ \n"#), ("A=\"b", nil), ("A='b'c", nil),
            ("A=b\r", "b"), ("A=é", "é"), ("A=b=c", "b=c"), ("A=it's", "it's"), ("A=b\u{0}", nil),
        ] as [(String, String?)])
    func values(line: String, value: String?) {
        let entries = try? EnvironmentFile.parse(line, path: ".env")
        #expect(entries?.first?.value == value)
    }

    @Test func commentsAndBlankLinesAreSkipped() throws {
        let entries = try EnvironmentFile.parse("# a\n\n  # b\nA=1\r\n\nB=2", path: ".env")
        #expect(entries.map(\.name) == ["A", "B"])
        #expect(entries.map(\.line) == [4, 6])
    }

    @Test(arguments: [("A=1\nnonsense", 2), ("1A=2", 1), ("A B=1", 1), ("A=1\nA=2", 2), ("=x", 1), ("A=1\nÄ=2", 2)])
    func anythingElseNamesItsLine(text: String, line: Int) {
        do {
            _ = try EnvironmentFile.parse(text, path: ".env")
            Issue.record("accepted")
        } catch {
            #expect(error.description.contains(".env line \(line)"))
        }
    }
}
