import Glibc
import Linux
import RunProtocol
import TestSupport
import Testing

@testable import SyncRunner

@Suite struct ScriptLockTests {
    private let folder: TemporaryFolder
    private var path: String { folder("sync.lock") }

    init() throws { folder = try TemporaryFolder() }

    private func open() throws -> Descriptor { try Descriptor.open(path, O_RDWR | O_CREAT) }

    private func clear(_ file: LockFile) -> LockClearReply {
        ScriptLock.clear(LockClearRequest(runDirectory: folder.path, lockPath: path, script: folder("sync.sh"), lockFile: file))
    }

    @Test func withoutAFileItIsFree() throws {
        #expect(ScriptLock.state(of: path) == .free)
        #expect(LockFile.find(path) == nil)
    }

    @Test func aFileWithoutALockIsFree() throws {
        _ = try open()
        #expect(ScriptLock.state(of: path) == .free)
        #expect(LockFile.find(path)?.owner == Int64(geteuid()))
    }

    @Test func bothKindsOfLocksCount() throws {
        let file = try open()
        #expect(try file.takeRecordLock())
        #expect(ScriptLock.state(of: path) == .held)
        try file.dropRecordLock()
        #expect(flock(file.number, LOCK_SH) == 0)
        #expect(ScriptLock.state(of: path) == .held)
    }

    @Test func itIsNotClearedDuringARun() throws {
        _ = try open()
        let file = try #require(LockFile.find(path))
        guard case .taken(let runLock) = try RunLock.take(in: RunDirectory(folder.path)) else { throw SystemError("run lock", code: EBUSY) }
        #expect(clear(file) == .refused("a sync is running"))
        runLock.release()
        #expect(LockFile.find(path) == file)
    }

    @Test func itIsNotClearedWhileAProcessHoldsIt() throws {
        let held = try open()
        let file = try #require(LockFile.find(path))
        #expect(flock(held.number, LOCK_EX) == 0)
        #expect(clear(file) == .refused("a process of the script is running"))
        #expect(LockFile.find(path) == file)
        #expect(try RunDirectory(folder.path).runLock().held == false, "the run lock is free again")
    }
}
