import Glibc
import Linux
import RunProtocol
import TestSupport
import Testing

@testable import SyncRunner

@Suite struct ScriptTests {
    private let folder: TemporaryFolder
    private var path: String { folder("sync.sh") }

    init() throws {
        folder = try TemporaryFolder()
        try write("sync.sh", "abc")
        try #require(chmod(folder("sync.sh"), 0o750) == 0)
    }

    private func write(_ name: String, _ text: String) throws {
        try Descriptor.open(folder(name), O_WRONLY | O_CREAT | O_TRUNC).write(Array(text.utf8))
    }

    private func unfitness(_ path: String) -> Unfitness? {
        do { _ = try Script.check(path) } catch { return error.why }
        return nil
    }

    @Test func aScriptInOrderIsAcceptedWithItsDigest() throws {
        #expect(try Script.check(path).digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func aChangeOfContentIsSeen() throws {
        let script = try Script.check(path)
        #expect(!script.hasChanged())
        try write("sync.sh", "abd")
        #expect(script.hasChanged())
        try Files.removeIfPresent(path)
        #expect(script.hasChanged())
    }

    @Test func whatIsMissingOrNoFileIsRefused() throws {
        try #require(symlink(path, folder("link")) == 0 && mkfifo(folder("fifo"), 0o700) == 0)
        #expect(unfitness("sync.sh") == .notFound, "not an absolute path")
        #expect(unfitness(folder("missing")) == .notFound)
        for name in ["link", "fifo", "."] { #expect(unfitness(folder(name)) == .notARegularFile) }
    }

    @Test(
        arguments: [
            (0o777, .unsafePermissions), (0o770, .unsafePermissions), (0o4750, .unsafePermissions), (0o2750, .unsafePermissions),
            (0o640, .permissionDenied), (0o500, nil),
        ] as [(mode_t, Unfitness?)])
    func theModeDecides(mode: mode_t, expected: Unfitness?) throws {
        try #require(chmod(path, mode) == 0)
        #expect(unfitness(path) == expected)
    }

    @Test func aFolderThatOthersCanWriteIsRefused() throws {
        try #require(chmod(folder.path, 0o770) == 0)
        #expect(unfitness(path) == .unsafePermissions)
    }

    @Test func aFolderBehindALinkIsCheckedToo() throws {
        try #require(mkdir(folder("open"), 0o700) == 0 && symlink("open", folder("closed")) == 0)
        try write("open/sync.sh", "abc")
        try #require(chmod(folder("open/sync.sh"), 0o750) == 0)
        #expect(unfitness(folder("closed/sync.sh")) == nil)
        try #require(chmod(folder("open"), 0o777) == 0)
        #expect(unfitness(folder("closed/sync.sh")) == .unsafePermissions)
    }

    @Test func theDetailSaysHowToFixIt() throws {
        try #require(chmod(path, 0o777) == 0)
        do {
            _ = try Script.check(path)
            Issue.record("accepted")
        } catch {
            #expect(error.detail.contains("has mode 777") && error.detail.contains("chmod 750 \(path)"))
        }
    }
}
