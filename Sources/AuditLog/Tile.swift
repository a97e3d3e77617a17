/// A file of an exported log (c2sp.org/tlog-tiles): up to 256 hashes of one level, or up to 256 entries.
package struct Tile: Hashable, Sendable {
    /// What is in it.
    package enum Content: Hashable, Sendable {
        case entries
        /// Each hash covers 256^level entries.
        case hashes(level: Int)
    }

    /// As many hashes or entries as a tile holds at most.
    package static let fullWidth: Int64 = 256

    package let content: Content
    /// Counted from the left among the tiles of this kind.
    package let index: Int64
    /// How many hashes or entries, 1 to 256. Fewer than 256 in the last tile only.
    package let width: Int64

    /// All tiles of a log of this size: the entries, then level by level, each from left to right. Produced one after
    /// another, because a long log has many.
    package static func all(forSize size: Int64) -> some Sequence<Tile> {
        let size = (0...Tree.maximumSize).contains(size) ? size : 0
        let levels = (0..<8).lazy.map { Content.hashes(level: $0) }.prefix { size >> (8 * $0.level) > 0 }
        let contents = (size > 0 ? [Content.entries] : []) + Array(levels)
        return contents.lazy.flatMap { content in
            // Only what a full tile covers has a hash on the next level.
            let count = size >> (8 * content.level)
            return (0..<((count + fullWidth - 1) / fullWidth)).lazy.map { index in
                Tile(content: content, index: index, width: min(fullWidth, count - index * fullWidth))
            }
        }
    }

    /// The path under the export's folder: `tile/0/x001/234` for a full tile, `tile/0/x001/234.p/5` for one of width 5.
    package var path: String {
        var rest = index
        var elements: [String] = []
        repeat {
            let digits = String(rest % 1000)
            let padded = String(repeating: "0", count: 3 - digits.count) + digits
            elements.insert(elements.isEmpty ? padded : "x" + padded, at: 0)
            rest /= 1000
        } while rest > 0
        let folder =
            switch content {
            case .entries: "entries"
            case .hashes(let level): String(level)
            }
        let suffix = width < Self.fullWidth ? ".p/\(width)" : ""
        return "tile/\(folder)/\(elements.joined(separator: "/"))\(suffix)"
    }

    /// The numbers of the entries in a tile of entries; under a tile of hashes, of the subtrees with those hashes.
    package var indexes: Range<Int64> { (index * Self.fullWidth)..<(index * Self.fullWidth + width) }

    /// The complete subtrees whose hashes are this tile's bytes, one behind the other; of a tile of entries, theirs.
    package var subtrees: [Subtree] { indexes.map { Subtree(level: 8 * content.level, index: $0) } }

    /// The bytes of a tile of entries: each with its length before it, in two bytes, the higher first.
    ///
    /// - Returns: nil where an entry is longer than that can say, which no `Leaf` is.
    package static func bundle(_ entries: [[UInt8]]) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(entries.reduce(0) { $0 + 2 + $1.count })
        for entry in entries {
            guard let count = UInt16(exactly: entry.count) else { return nil }
            bytes.append(UInt8(count >> 8))
            bytes.append(UInt8(count & 0xFF))
            bytes += entry
        }
        return bytes
    }
}

extension Tile.Content {
    fileprivate var level: Int {
        switch self {
        case .entries: 0
        case .hashes(let level): level
        }
    }
}
