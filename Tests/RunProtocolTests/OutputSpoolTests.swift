import Glibc
import Linux
import Testing

@testable import RunProtocol

@Suite struct OutputSpoolTests {
    /// Every limit with every length around its edges, in pieces of every small size, against the plain definition.
    @Test(arguments: [Int64(2), 3, 7, 8])
    func keepsFirstAndLastHalf(limit: Int64) throws {
        for total in 0...Int(limit * 4) {
            for pieceSize in 1...max(1, total) {
                let stream = (0..<total).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 1) }
                let content = try spooled(stream, limit: limit, pieceSize: pieceSize)
                #expect(content.total == Int64(total))
                #expect(content.truncated == (total > Int(limit)))
                #expect(content.bytes == expected(stream, limit: Int(limit)))
            }
        }
    }

    @Test func aTruncatedOutputIsToldEvenWhereTheLengthsAgree() throws {
        // 37 bytes of note in place of the 37 bytes left out: only the flag tells.
        let content = try spooled([UInt8](repeating: 1, count: 134), limit: 100, pieceSize: 50)
        #expect(content.truncated)
    }

    /// As after a power loss: the room was taken, but no byte had reached the disk, or not even the room.
    @Test(arguments: [0, 15, 16, 4096])
    func aFileWithoutItsHeadIsTold(length: Int) throws {
        try withFile([UInt8](repeating: 0, count: length)) { path in
            let error = #expect(throws: SystemError.self) { try OutputSpool.read(path, maximum: 4096) }
            #expect(error?.code == EBADMSG)
        }
    }

    @Test func hostileFilesAreRefused() throws {
        let valid: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 2, 65, 66]
        try withFile(valid) { path in
            let content = try OutputSpool.read(path, maximum: 4)
            #expect(content.bytes == [65, 66])
        }
        var cases: [[UInt8]] = [[], Array(valid[..<15])]
        var hugeLimit = valid
        hugeLimit[0] = 0x7f
        var negative = valid
        negative[8] = 0xff
        // More claimed than there is.
        var endless = valid
        endless[15] = 200
        cases += [hugeLimit, negative, endless]
        for bytes in cases {
            try withFile(bytes) { path in #expect(throws: SystemError.self) { try OutputSpool.read(path, maximum: 4) } }
        }
    }

    @Test func linksAndFIFOsAreRefused() throws {
        try withFile([1]) { path in
            #expect(symlink(path, path + ".link") == 0)
            #expect(throws: SystemError.self) { try OutputSpool.read(path + ".link", maximum: 4) }
            #expect(mkfifo(path + ".fifo", 0o600) == 0)
            #expect(throws: SystemError.self) { try OutputSpool.read(path + ".fifo", maximum: 4) }
            #expect(throws: SystemError.self) { try OutputSpool.create(path + ".link", limit: 4) }
            unlink(path + ".link")
            unlink(path + ".fifo")
        }
    }

    private func expected(_ stream: [UInt8], limit: Int) -> [UInt8] {
        guard stream.count > limit else { return stream }
        let line = "\n[... \(stream.count - limit) bytes left out ...]\n"
        return Array(stream.prefix(limit - limit / 2)) + Array(line.utf8) + Array(stream.suffix(limit / 2))
    }

    private func spooled(_ stream: [UInt8], limit: Int64, pieceSize: Int) throws -> OutputSpool.Content {
        let path = temporaryPath()
        defer { unlink(path) }
        var spool = try OutputSpool.create(path, limit: limit)
        for start in stride(from: 0, to: stream.count, by: pieceSize) {
            try spool.append(stream[start..<min(start + pieceSize, stream.count)])
        }
        return try OutputSpool.read(path, maximum: limit)
    }

    private func withFile(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
        let path = temporaryPath()
        defer { unlink(path) }
        try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL).write(bytes)
        try body(path)
    }

    private func temporaryPath() -> String { "/tmp/spool-\(getpid())-\(UInt64.random(in: 0...UInt64.max))" }
}
