import Glibc
import Linux
import RunProtocol
import TestSupport
import Testing

@testable import SyncRunner

@Suite struct ScriptLogTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        for name in ["logs", "elsewhere", "state"] { try #require(mkdir(folder(name), 0o700) == 0) }
    }

    private func write(_ name: String, _ bytes: [UInt8]) throws {
        try Descriptor.open(folder(name), O_WRONLY | O_CREAT | O_TRUNC).write(bytes)
    }

    private func lastLines(_ text: String) throws -> String {
        try write("logs/log", Array(text.utf8))
        return String(decoding: try ScriptLog.lastLines(of: try Descriptor.open(folder("logs/log"), O_RDONLY)), as: UTF8.self)
    }

    private func lines(_ numbers: ClosedRange<Int>) -> String { numbers.map { "line \($0)" }.joined(separator: "\n") }

    @Test(arguments: [
        ("", ""), ("\n", ""), ("one", "one"), ("one\n", "one"), ("one\n\ntwo\n\n", "one\n\ntwo\n"), ("a\r\nb\r\n", "a\r\nb\r"), ("a\0b\n", "a\0b"),
    ])
    func aShortLogIsShownWhole(text: String, expected: String) throws {
        #expect(try lastLines(text) == expected)
    }

    @Test func theLastLinesAreShownWithAndWithoutAFinalNewline() throws {
        let most = LogTail.maximumLines
        #expect(try lastLines(lines(1...most)) == lines(1...most))
        #expect(try lastLines(lines(1...most) + "\n") == lines(1...most))
        #expect(try lastLines(lines(0...most) + "\n") == lines(1...most))
        #expect(try lastLines(lines(1...50_000)) == lines((50_001 - most)...50_000), "more than one piece")
    }

    @Test func onlyTheEndOfALongLineIsShown() throws {
        let most = Int(LogTail.maximumBytes)
        #expect(try lastLines("y" + String(repeating: "x", count: most)) == String(repeating: "x", count: most))
        #expect(try lastLines("first\n" + String(repeating: "x", count: most - 1) + "\n") == String(repeating: "x", count: most - 1))
    }

    private func tail(_ path: String, logDirectory: String? = nil, forbidden: [FileIdentity] = []) -> LogTail {
        ScriptLog.tail(
            LogTailRequest(
                logPath: folder(path), logDirectory: logDirectory.map { folder($0) }, stateDirectory: folder("state"), forbidden: forbidden))
    }

    private func isRefused(_ tail: LogTail, _ reason: String) -> Bool {
        if case .unreadable(let text) = tail { text.contains(reason) } else { false }
    }

    @Test func aLinkMayOnlyLeadToTheLogsOwnFolderOrSyncLogDir() throws {
        try write("logs/today", Array("today\n".utf8))
        try write("elsewhere/today", Array("elsewhere\n".utf8))
        try #require(symlink("today", folder("logs/latest")) == 0 && symlink("../elsewhere/today", folder("logs/away")) == 0)
        #expect(tail("logs/latest") == .lines(Array("today".utf8)))
        #expect(isRefused(tail("logs/away"), "set SYNC_LOG_DIR"))
        #expect(tail("logs/away", logDirectory: "elsewhere") == .lines(Array("elsewhere".utf8)))
    }

    @Test func nothingInTheStateDirectoryIsShown() throws {
        try write("state/audit.key", Array("secret\n".utf8))
        #expect(isRefused(tail("state/audit.key"), "state directory"))
        try #require(symlink("../state/audit.key", folder("logs/log")) == 0)
        #expect(isRefused(tail("logs/log", logDirectory: "state"), "state directory"))
    }

    @Test func aForbiddenFileIsNotShownUnderAnotherName() throws {
        try write("logs/secret", Array("secret\n".utf8))
        let facts = try Files.facts(folder("logs/secret"), followLink: false)
        try #require(link(folder("logs/secret"), folder("logs/log")) == 0)
        #expect(isRefused(tail("logs/log", forbidden: [FileIdentity(device: facts.device, inode: facts.inode)]), "never shown"))
    }

    @Test func onlyRegularFilesAreShown() throws {
        try #require(mkfifo(folder("logs/fifo"), 0o600) == 0)
        #expect(isRefused(tail("logs/fifo"), "not a regular file"))
        #expect(isRefused(tail("logs"), "not a regular file"))
        #expect(isRefused(tail("logs/missing"), "No such file"))
    }
}
