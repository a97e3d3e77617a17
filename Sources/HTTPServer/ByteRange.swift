/// The bytes that a client asks for (RFC 9110 section 14): one range, or all.
package struct ByteRange: Equatable {
    package let first: Int64
    package let count: Int64
    /// Whether the answer is 206 with Content-Range.
    package let partial: Bool

    /// - Parameters:
    ///   - header: the value of Range. A malformed one, or one with several ranges, is ignored as RFC 9110 allows.
    ///   - size: of the whole content, in bytes.
    /// - Throws: ``RequestError/rangeNotSatisfiable(size:)``.
    package init(_ header: String?, size: Int64) throws(RequestError) {
        guard let header, header.hasPrefix("bytes="), !header.contains(",") else {
            (first, count, partial) = (0, size, false)
            return
        }
        let ends = header.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, ends.allSatisfy({ $0.utf8.count <= 18 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else {
            (first, count, partial) = (0, size, false)
            return
        }
        switch (Int64(ends[0]), Int64(ends[1])) {
        case (let from?, let to?) where to < from: (first, count, partial) = (0, size, false)
        case (let from?, let to):
            guard from < size else { throw .rangeNotSatisfiable(size: size) }
            (first, count, partial) = (from, min(to ?? size - 1, size - 1) - from + 1, true)
        case (nil, let last?):
            guard last > 0, size > 0 else { throw .rangeNotSatisfiable(size: size) }
            (first, count, partial) = (max(0, size - last), min(last, size), true)
        case (nil, nil): (first, count, partial) = (0, size, false)
        }
    }
}
