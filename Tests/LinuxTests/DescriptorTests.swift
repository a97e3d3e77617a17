import Glibc
import TestSupport
import Testing

@testable import Linux

@Suite struct DescriptorTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func open(_ name: String) throws -> Descriptor { try Descriptor.open(folder(name), O_RDWR | O_CREAT) }

    private func closesOnExec(_ number: Int32) -> Bool { Glibc.fcntl(number, F_GETFD) & FD_CLOEXEC != 0 }

    @Test func everyDescriptorClosesOnExec() throws {
        let file = try open("file")
        let (read, write) = try Descriptor.pipe()
        let (left, right) = try Descriptor.socketPair()
        let moved = try file.movedUp()
        for descriptor in [file, read, write, left, right, moved] { #expect(closesOnExec(descriptor.number)) }
        #expect(moved.number >= 10)
    }

    @Test func readsAndWritesAtAnOffsetLeaveThePosition() throws {
        let file = try open("file")
        try file.write(Array("abc".utf8))
        try file.write(Array("XY".utf8)[...], at: 5)
        try file.write(Array("d".utf8))
        #expect(try file.read(at: 0, count: 7) == Array("abcd\0XY".utf8))
        #expect(try file.read(at: 5, count: 100) == Array("XY".utf8), "fewer bytes only at the end")
        #expect(try file.read(at: 100, count: 1).isEmpty)
    }

    @Test func aSliceIsWrittenFromItsOwnBeginning() throws {
        let file = try open("file")
        try file.write(Array("abcdef".utf8)[2..<4], at: 0)
        #expect(try file.read(at: 0, count: 9) == Array("cd".utf8))
    }

    @Test func nothingNowIsNotTheEnd() throws {
        let (read, write) = try Descriptor.pipe()
        try read.makeNonBlocking()
        var buffer = [UInt8](repeating: 0, count: 8)
        #expect(try read.read(into: &buffer) == nil)
        try write.write([1, 2])
        #expect(try read.read(into: &buffer) == 2)
        #expect(buffer.prefix(2) == [1, 2])
    }

    @Test func theEndOfAPipeIsZeroBytes() throws {
        let read = try Descriptor.pipe().read
        var buffer = [UInt8](repeating: 0, count: 8)
        #expect(try read.read(into: &buffer) == 0)
    }

    @Test func reservedSpaceIsPartOfTheFileUntilItIsCut() throws {
        let file = try open("file")
        try file.reserve(5000)
        #expect(try file.facts().size == 5000)
        try file.truncate(to: 3)
        #expect(try file.facts().size == 3)
    }

    @Test func aFailureNamesCallPathAndReason() {
        #expect(throws: SystemError("open", folder("missing"), code: ENOENT)) { try Descriptor.open(folder("missing"), O_RDONLY) }
        #expect("\(SystemError("open", "/x", code: EACCES))" == "open /x: Permission denied")
        #expect("\(SystemError("pipe", code: EMFILE))" == "pipe: Too many open files")
    }

    @Test func errorsAreSortedByWhatHelps() {
        #expect(SystemError("x", code: ENOTDIR).isNoSuchFile && SystemError("x", code: ENOENT).isNoSuchFile)
        #expect(SystemError("x", code: ECONNRESET).isBrokenPipe && !SystemError("x", code: EIO).isBrokenPipe)
        #expect(SystemError("x", code: EDQUOT).isNoSpace && SystemError("x", code: EDQUOT).mayPass)
        #expect(SystemError("x", code: EPERM).isPermissionDenied && !SystemError("x", code: EPERM).mayPass)
        for code in [EIO, ENOSPC, EMFILE, ENOMEM] { #expect(SystemError("x", code: code).remedy != nil) }
        #expect(SystemError("x", code: ENOENT).remedy == nil)
    }
}
