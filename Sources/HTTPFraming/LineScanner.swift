/// Finds lines that end with CRLF in bytes that grow. No byte is searched twice, so a request in segments of one byte
/// costs no more than a request in one piece.
struct LineScanner {
    /// Where the next line begins.
    private(set) var position = 0
    /// How far the line at `position` has been searched for its end.
    private var searched = 0

    /// The next line without its CRLF; `position` is then behind it.
    /// - Parameters:
    ///   - limit: the largest length of the line.
    ///   - tooLong: is thrown for a longer line, even before its end arrives.
    /// - Returns: nil until the line is complete.
    /// - Throws: `tooLong`, or ``FramingError/malformed(_:)`` for a CR or LF alone and for NUL.
    mutating func next(in bytes: [UInt8], limit: Int, tooLong: FramingError) throws(FramingError) -> Range<Int>? {
        var index = max(position, searched)
        defer { searched = index }
        while index < bytes.count {
            guard index - position <= limit else { throw tooLong }
            let byte = bytes[index]
            if byte > UInt8(ascii: "\r") {
                index += 1
                continue
            }
            switch byte {
            case UInt8(ascii: "\r"):
                guard index + 1 < bytes.count else { return nil }
                guard bytes[index + 1] == UInt8(ascii: "\n") else { throw .malformed("a bare CR") }
                let line = position..<index
                position = index + 2
                return line
            case UInt8(ascii: "\n"): throw .malformed("a bare LF")
            case 0: throw .malformed("a NUL")
            default: index += 1
            }
        }
        guard index - position <= limit else { throw tooLong }
        return nil
    }

    /// Skips to a position that was understood without a line.
    mutating func skip(to position: Int) { self.position = position }

    /// Adjusts the positions after `count` bytes in front of them were removed.
    /// - Parameter start: where the remaining bytes begin; no position may lie in front of it.
    mutating func removed(_ count: Int, notBefore start: Int) {
        position = max(start, position - count)
        searched = max(position, searched - count)
    }
}
