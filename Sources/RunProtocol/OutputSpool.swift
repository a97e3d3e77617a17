import Glibc
import Linux

/// The kept part of an output: its first bytes up to half the limit, and its last bytes, up to the other half, in a ring.
///
/// The file starts with two numbers (8 bytes, big endian): the limit, and how many bytes the script wrote. Each append updates
/// them, so that after a crash the bytes on the disk can be read in their order.
package struct OutputSpool: Sendable {
    private static let headBytes = 16

    private let file: Descriptor
    private let limit: Int64
    private var total: Int64 = 0

    private init(_ file: Descriptor, limit: Int64) {
        self.file = file
        self.limit = limit
    }

    /// Creates the file and takes its disk space, so that a disk that fills up later costs no output.
    /// - Parameters:
    ///   - path: must not exist.
    ///   - limit: how many bytes are kept, at least 2.
    package static func create(_ path: String, limit: Int64) throws(SystemError) -> OutputSpool {
        let file = try Descriptor.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW)
        try file.reserve(Int64(headBytes) + limit)
        let spool = OutputSpool(file, limit: limit)
        try spool.writeHead()
        return spool
    }

    private var firstHalf: Int64 { limit - limit / 2 }
    private var ring: Int64 { limit / 2 }

    private func writeHead() throws(SystemError) {
        try file.write((Self.bytes(limit) + Self.bytes(total))[...], at: 0)
    }

    /// Appends a piece of the output.
    package mutating func append(_ piece: ArraySlice<UInt8>) throws(SystemError) {
        var rest = piece
        if total < firstHalf {
            let part = rest.prefix(Int(firstHalf - total))
            try file.write(part, at: Int64(Self.headBytes) + total)
            total += Int64(part.count)
            rest = rest.dropFirst(part.count)
        }
        // Only the end of a piece that is longer than the ring would stay.
        if Int64(rest.count) > ring {
            total += Int64(rest.count) - ring
            rest = rest.suffix(Int(ring))
        }
        while !rest.isEmpty {
            let place = (total - firstHalf) % ring
            let part = rest.prefix(Int(ring - place))
            try file.write(part, at: Int64(Self.headBytes) + firstHalf + place)
            total += Int64(part.count)
            rest = rest.dropFirst(part.count)
        }
        try writeHead()
    }

    /// Returns once the kept bytes are on the disk. A script that printed nothing costs no sync: the result says so itself.
    package func sync() throws(SystemError) {
        if total > 0 { try file.sync() }
    }

    /// The content of a spool file.
    package struct Content: Sendable, Equatable {
        /// The kept bytes. If bytes were left out, a line between the halves says how many.
        package let bytes: [UInt8]
        /// How many bytes the script had written.
        package let total: Int64
        package let truncated: Bool
    }

    /// Reads a spool file. Nothing in it is trusted.
    /// - Parameter maximum: the largest limit that is believed. A file that claims more is refused with `EFBIG`.
    /// - Throws: `ENOENT` if there is none; `EBADMSG` if a part is missing, as after a power loss.
    package static func read(_ path: String, maximum: Int64) throws(SystemError) -> Content {
        try read(try open(path), maximum: maximum)
    }

    /// Opens a spool file for reading. It stays readable after its name is gone.
    package static func open(_ path: String) throws(SystemError) -> Descriptor {
        try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    }

    /// Reads a spool file that is open.
    package static func read(_ file: Descriptor, maximum: Int64) throws(SystemError) -> Content {
        guard try file.facts().kind == .regular else { throw SystemError("read", "output", code: EINVAL) }
        let head = try file.read(at: 0, count: headBytes)
        guard head.count == headBytes else { throw SystemError("read", "output", code: EBADMSG) }
        let limit = number(head[0..<8])
        let total = number(head[8..<16])
        // The room for the file was taken, but nothing of it had reached the disk.
        guard limit != 0 || total != 0 else { throw SystemError("read", "output", code: EBADMSG) }
        guard (2...maximum).contains(limit), total >= 0 else { throw SystemError("read", "output", code: EFBIG) }
        let firstHalf = limit - limit / 2
        let ring = limit / 2
        if total <= limit {
            return Content(bytes: try file.read(at: Int64(headBytes), count: Int(total)), total: total, truncated: false)
        }
        let kept = try file.read(at: Int64(headBytes), count: Int(limit))
        guard kept.count == Int(limit) else { throw SystemError("read", "output", code: EBADMSG) }
        let oldest = Int(firstHalf + (total - firstHalf) % ring)
        let line = "\n[... \(total - limit) bytes left out ...]\n"
        let bytes = kept[..<Int(firstHalf)] + Array(line.utf8) + kept[oldest...] + kept[Int(firstHalf)..<oldest]
        return Content(bytes: Array(bytes), total: total, truncated: true)
    }

    private static func bytes(_ number: Int64) -> [UInt8] {
        stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> Int64($0)) }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int64 {
        bytes.reduce(0) { $0 << 8 | Int64($1) }
    }
}
