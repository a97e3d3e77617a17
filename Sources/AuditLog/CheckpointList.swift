import Encoding

/// The checkpoints in a text, which may be hostile: one note, many one behind the other, or each as the base64 that the
/// header `Sync-Checkpoint` holds. Verifies no signature.
///
/// A note is found by its signature lines, the empty line above them and the three lines above that. So a torn note, which a
/// full disk or a crash left, spoils no other: the next one begins on a new line.
package struct CheckpointList: Sendable {
    /// A checkpoint and where it begins in the text.
    package struct Element: Sendable {
        package let signed: SignedCheckpoint
        package let offset: Int
    }

    /// In the order of the text.
    package private(set) var elements: [Element] = []
    /// How many pieces of text between them are no checkpoint.
    package private(set) var tornCount = 0

    /// - Parameter isCut: whether the text may begin within a note, whose rest is then passed over.
    package init(parsing bytes: [UInt8], isCut: Bool = false) {
        let lines = Self.lines(of: bytes)
        /// The first line behind the last checkpoint. A line that is cut could pass for another line.
        var next = isCut ? 1 : 0
        var line = next
        while line < lines.count {
            defer { line += 1 }
            var (first, last) = (line, line)
            var signed = Self.decoded(bytes[lines[line]])
            if signed == nil, line >= next + 4, Self.isSignature(bytes[lines[line]]), lines[line - 1].isEmpty {
                first = line - 4
                while line + 1 < lines.count, Self.isSignature(bytes[lines[line + 1]]) { line += 1 }
                // Lines that were put behind the signature do not change the note before them.
                for end in Set([line, last]).sorted(by: >) where signed == nil {
                    signed = try? SignedCheckpoint(parsing: bytes[lines[first].lowerBound..<lines[end].upperBound] + [Self.lineFeed])
                    last = end
                }
            }
            guard let signed else { continue }
            pass(lines[next..<first], isRest: isCut && elements.isEmpty)
            elements.append(Element(signed: signed, offset: lines[first].lowerBound))
            next = last + 1
        }
        pass(lines[next...], isRest: isCut && elements.isEmpty)
    }

    /// Counts what stands between two checkpoints, unless it is the rest of a note that was cut.
    private mutating func pass(_ lines: ArraySlice<Range<Int>>, isRest: Bool) {
        if !isRest, lines.contains(where: { !$0.isEmpty }) { tornCount += 1 }
    }

    private static let lineFeed = UInt8(ascii: "\n")
    private static let dash = Array("— ".utf8)
    private static let header = Array("sync-checkpoint:".utf8)
    /// Shorter than any note in base64, longer than a hash or an origin usually is.
    private static let shortestBase64 = 150

    private static func lines(of bytes: [UInt8]) -> [Range<Int>] {
        var lines: [Range<Int>] = []
        var start = 0
        for (index, byte) in bytes.enumerated() where byte == lineFeed {
            lines.append(start..<index)
            start = index + 1
        }
        lines.append(start..<bytes.count)
        return lines
    }

    private static func isSignature(_ line: ArraySlice<UInt8>) -> Bool { line.starts(with: dash) }

    /// The note in a line as the header has it, with or without the header's name.
    private static func decoded(_ line: ArraySlice<UInt8>) -> SignedCheckpoint? {
        guard line.count >= shortestBase64, line.count <= SignedNote.maximumBytes * 2 else { return nil }
        var text = line
        if text.prefix(header.count).map({ $0 | 0x20 }) == header { text = text.dropFirst(header.count) }
        text = text.drop { isBlank($0) }
        while let last = text.last, isBlank(last) { text.removeLast() }
        return Base64.standard.decode(text).flatMap { try? SignedCheckpoint(parsing: $0) }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r") }
}
