import Glibc
import Linux
import RunProtocol
import TestSupport
import Testing

@testable import SyncRunner

/// The kernel's locks belong to open files, so one process can hold the run lock and be refused it.
@Suite struct RunLockTests {
    private let folder: TemporaryFolder
    private var directory: RunDirectory { RunDirectory(folder.path) }

    init() throws { folder = try TemporaryFolder() }

    private func take() throws -> RunLock {
        guard case .taken(let lock) = try RunLock.take(in: directory) else { throw SystemError("run lock", code: EBUSY) }
        return lock
    }

    private func holder() throws -> RunLockHolder? {
        guard case .held(let holder) = try RunLock.take(in: directory) else { throw SystemError("run lock", code: 0) }
        return holder
    }

    @Test func onlyOneHolderAtATime() throws {
        let lock = try take()
        #expect(try directory.runLock() == RunLockState(held: true, holder: nil))
        lock.describe(run: 7, since: 1_700_000_000_000)
        let expected = RunLockHolder(run: 7, pid: Int64(getpid()), since: 1_700_000_000_000)
        #expect(try holder() == expected)
        #expect(try directory.runLock() == RunLockState(held: true, holder: expected))
        lock.release()
        #expect(try directory.runLock() == RunLockState(held: false, holder: nil))
        _ = try take()
    }

    @Test func flockAloneDoesNotFreeIt() throws {
        let lock = try take()
        #expect(flock(lock.descriptor.number, LOCK_UN) == 0)
        #expect(try holder() == nil)
    }

    @Test func releaseFreesEveryCopyOfTheDescriptor() throws {
        let lock = try take()
        let copy = try lock.descriptor.movedUp()
        lock.release()
        _ = try take()
        #expect(copy.number >= 10)
    }

    @Test func aCopyKeepsIt() throws {
        let copy = try take().descriptor.movedUp()
        #expect(try holder() == nil)
        #expect(copy.number >= 10)
    }

    @Test func aLinkInItsPlaceIsRefused() throws {
        try #require(symlink("elsewhere", folder("run.lock")) == 0)
        #expect(throws: SystemError("open", directory.lockFile, code: ELOOP)) { try RunLock.take(in: directory) }
    }

    @Test func aFIFOInItsPlaceIsRefused() throws {
        try #require(mkfifo(folder("run.lock"), 0o600) == 0)
        #expect(throws: SystemError("run lock", directory.lockFile, code: EPERM)) { try RunLock.take(in: directory) }
    }
}
