import Glibc
import TestSupport
import Testing

@testable import Linux

@Suite struct RecordLockTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func open() throws -> Descriptor { try Descriptor.open(folder("lock"), O_RDWR | O_CREAT) }

    @Test func oneOpenFileHoldsTheLock() throws {
        let (first, second) = (try open(), try open())
        #expect(try first.takeRecordLock())
        #expect(try !second.takeRecordLock())
        #expect(try second.isRecordLocked())
        #expect(try !first.isRecordLocked(), "its own lock does not count")
        try first.dropRecordLock()
        #expect(try second.takeRecordLock())
    }

    @Test func theLockBelongsToTheOpenFileNotToTheDescriptor() throws {
        let other = try open()
        var first: Descriptor? = try open()
        let copy = try #require(first).movedUp()
        #expect(try copy.takeRecordLock())
        // Closing another descriptor of the file would drop a lock of the process.
        _ = try open()
        first = nil
        #expect(try other.isRecordLocked())
        try copy.dropRecordLock()
        #expect(try !other.isRecordLocked())
    }

    @Test func askingTakesNoLock() throws {
        let (first, second) = (try open(), try open())
        #expect(try !first.isRecordLocked())
        #expect(try second.takeRecordLock())
    }
}
