/// A complete subtree: 2^level entries, the first of them at index × 2^level. Its hash never changes, so it is stored.
package struct Subtree: Hashable, Sendable {
    /// 0 for an entry itself.
    package let level: Int
    /// Counted from the left among the subtrees of this level.
    package let index: Int64

    init(level: Int, index: Int64) {
        self.level = level
        self.index = index
    }

    /// The first entry under it, and the one behind its last.
    package var entries: Range<Int64> { (index << Int64(level))..<((index + 1) << Int64(level)) }

    /// Its place when all hashes are stored one behind the other in the order in which they become known: entry 0, entry
    /// 1, the node over both, entry 2, entry 3, the node over these, the node over all four, entry 4 … (post-order;
    /// Crosby and Wallach, "Efficient Data Structures for Tamper-Evident Logging", section 3.3).
    ///
    /// As a table's primary key it makes every append an append to the table, and a verification one sequential read.
    package var position: Int64 {
        // Before the last entry under it: that many entries, half as many nodes over two, a quarter over four …, which add
        // up to twice as many less one for each bit set (Legendre's formula).
        let count = entries.upperBound - 1
        return 2 * count - Int64(count.nonzeroBitCount) + Int64(level)
    }

    /// The subtrees that become complete with this entry, itself first, by rising level and position.
    package static func completed(by entry: Int64) -> [Subtree] {
        guard (0..<Tree.maximumSize).contains(entry) else { return [] }
        return (0...(entry + 1).trailingZeroBitCount).map { Subtree(level: $0, index: entry >> Int64($0)) }
    }

    /// The fewest complete subtrees that make up the entries from `start` to before `end`, left to right: the largest
    /// first. `start` must be a multiple of the largest power of two that fits in, as everywhere in RFC 6962.
    static func covering(_ start: Int64, _ end: Int64) -> [Subtree] {
        var subtrees: [Subtree] = []
        var start = start
        while start < end {
            let level = 63 - (end - start).leadingZeroBitCount
            subtrees.append(Subtree(level: level, index: start >> Int64(level)))
            start += 1 << Int64(level)
        }
        return subtrees
    }
}

/// A hash to store, and where.
package struct StoredHash: Sendable, Equatable {
    package let subtree: Subtree
    package let hash: Hash
}

/// The right edge of a tree (RFC 6962, section 2.1): all that is needed to add an entry and to know the root, however
/// many entries there are.
package struct Tree: Sendable, Equatable {
    /// No tree is larger, so that no arithmetic on an index can overflow.
    package static let maximumSize: Int64 = 1 << 60

    /// The number of entries.
    package private(set) var size: Int64
    /// The hashes of the complete subtrees, left to right: the largest first.
    private var edge: [Hash]

    /// The tree without entries.
    package init() {
        size = 0
        edge = []
    }

    /// The tree as it was left, from stored hashes.
    ///
    /// - Parameter edge: the hashes of `Tree.edge(ofSize:)`, in that order.
    /// - Returns: nil where their number does not fit the size, or the size is not one of a tree.
    package init?(size: Int64, edge: [Hash]) {
        guard (0...Self.maximumSize).contains(size), edge.count == size.nonzeroBitCount else { return nil }
        self.size = size
        self.edge = edge
    }

    /// The stored hashes from which a tree of this size goes on: one for each bit set in the size. None for a size that
    /// no tree has.
    package static func edge(ofSize size: Int64) -> [Subtree] {
        (0...maximumSize).contains(size) ? Subtree.covering(0, size) : []
    }

    /// Adds an entry.
    ///
    /// - Returns: the hashes to store: those of `Subtree.completed(by:)`, in that order, about two on average. None
    ///   where the tree has its maximum size, and then nothing was added.
    package mutating func append(_ leaf: Hash) -> [StoredHash] { append(leaf, goingOnWith: []) }

    /// Adds an entry.
    ///
    /// - Parameter stored: hashes to go on with in place of those returned, in the same order, as far as there are any. So
    ///   a verifier finds each one that does not fit, and not all above it as well.
    mutating func append(_ leaf: Hash, goingOnWith stored: [Hash?]) -> [StoredHash] {
        guard size < Self.maximumSize else { return [] }
        var completed: [StoredHash] = []
        var hash = leaf
        for subtree in Subtree.completed(by: size) {
            // Each subtree above the entry is complete with a sibling that was the last of the edge.
            if subtree.level > 0 { hash = Hash.node(edge.removeLast(), hash) }
            completed.append(StoredHash(subtree: subtree, hash: hash))
            if subtree.level < stored.count, let other = stored[subtree.level] { hash = other }
        }
        edge.append(hash)
        size += 1
        return completed
    }

    /// The root (RFC 6962's Merkle Tree Hash).
    package var root: Hash { Self.root(of: edge) }

    /// The root over complete subtrees, left to right.
    static func root(of subtrees: [Hash]) -> Hash {
        guard var root = subtrees.last else { return .empty }
        for hash in subtrees.dropLast().reversed() { root = Hash.node(hash, root) }
        return root
    }
}
