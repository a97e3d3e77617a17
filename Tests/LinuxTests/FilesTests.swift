import Glibc
import TestSupport
import Testing

@testable import Linux

@Suite struct FilesTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(_ name: String, _ text: String) throws {
        try Descriptor.open(folder(name), O_WRONLY | O_CREAT | O_EXCL).write(Array(text.utf8))
    }

    @Test(arguments: [("/a/b", "/a"), ("/a", "/"), ("/", "/"), ("a/b", "a"), ("a", "."), ("", "."), ("/a/b/", "/a/b"), ("/ä/b", "/ä")])
    func theFolderOfAPath(path: String, expected: String) {
        #expect(Files.folder(of: path) == expected)
    }

    @Test(arguments: [("/a/b", ["/a/b", "/a", "/"]), ("/", ["/"]), ("a/b", ["a/b", "a", "."]), ("", ["", "."])])
    func theFoldersAboveAPath(path: String, expected: [String]) {
        #expect(Files.ancestors(of: path) == expected)
    }

    @Test func aFileIsReadUpToItsLimit() throws {
        try write("file", "12345")
        #expect(try Files.read(folder("file"), limit: 5) == Array("12345".utf8))
        #expect(throws: SystemError("read", folder("file"), code: EFBIG)) { try Files.read(folder("file"), limit: 4) }
    }

    @Test func onlyRegularFilesAreRead() throws {
        try write("file", "12345")
        #expect(symlink(folder("file"), folder("link")) == 0 && mkfifo(folder("fifo"), 0o600) == 0)
        #expect(throws: SystemError("open", folder("link"), code: ELOOP)) { try Files.read(folder("link"), limit: 9) }
        #expect(try Files.readWithFacts(folder("link"), limit: 9, followLink: true).facts.size == 5)
        for name in ["fifo", "."] {
            #expect(throws: SystemError("read", folder(name), code: EINVAL)) { try Files.read(folder(name), limit: 9) }
        }
    }

    @Test func aFileIsTheSameUnderAllItsNames() throws {
        try write("file", "")
        try write("other", "")
        #expect(link(folder("file"), folder("hard")) == 0 && symlink("file", folder("soft")) == 0)
        let file = try Files.facts(folder("file"), followLink: false)
        #expect(try Files.facts(folder("hard"), followLink: false).isSameFile(as: file))
        #expect(try Files.facts(folder("soft"), followLink: true).isSameFile(as: file))
        #expect(try !Files.facts(folder("soft"), followLink: false).isSameFile(as: file))
        #expect(try !Files.facts(folder("other"), followLink: false).isSameFile(as: file))
        #expect(try Files.facts(folder("soft"), followLink: false).kind == .symbolicLink)
        #expect(try Files.linkTarget(folder("soft")) == "file")
        #expect(file.kind == .regular && file.links == 2)
    }

    @Test(arguments: [(0o600, false), (0o644, false), (0o620, true), (0o602, true)] as [(mode_t, Bool)])
    func writableByOthersMeansGroupOrEveryone(mode: mode_t, expected: Bool) throws {
        try write("file", "")
        #expect(chmod(folder("file"), mode) == 0)
        #expect(try Files.facts(folder("file"), followLink: false).writableByOthers == expected)
    }

    @Test func removingAMissingFileIsNoError() throws {
        try write("file", "")
        try Files.removeIfPresent(folder("file"))
        try Files.removeIfPresent(folder("file"))
        #expect(throws: SystemError.self) { try Files.facts(folder("file"), followLink: false) }
        // A missing folder is one, like everything else.
        #expect(throws: SystemError("unlink", folder("file/below"), code: ENOTDIR)) {
            try write("file", "")
            try Files.removeIfPresent(folder("file/below"))
        }
    }

    @Test func namesLeavesOutTheFolderItselfAndItsParent() throws {
        for name in ["b", "a", ".hidden"] { try write(name, "") }
        #expect(try Files.names(in: folder.path).sorted() == [".hidden", "a", "b"])
    }

    @Test func aNamelessFileShowsWhetherAFolderTakesFiles() throws {
        try Files.tryToCreate(in: folder.path)
        #expect(try Files.names(in: folder.path).isEmpty)
        #expect(throws: SystemError.self) { try Files.tryToCreate(in: folder("missing")) }
    }
}
