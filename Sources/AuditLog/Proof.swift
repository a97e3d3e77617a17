/// No tree can give the requested proof.
package struct ProofError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
}

/// That a tree has a certain entry at a certain index (RFC 6962, section 2.1.1: the audit path).
package struct InclusionProof: Sendable, Equatable {
    /// The entry, counted from 0.
    package let index: Int64
    /// The size of the tree.
    package let size: Int64
    /// From the entry's sibling up to the root's child.
    package let hashes: [Hash]

    init(index: Int64, size: Int64, hashes: [Hash]) {
        self.index = index
        self.size = size
        self.hashes = hashes
    }

    /// Makes the proof from stored hashes.
    ///
    /// - Parameter stored: gives the hash of a complete subtree; called about log₂(size) times.
    /// - Throws: `ProofError` where the tree has no such entry; whatever `stored` throws.
    package init(index: Int64, size: Int64, stored: (Subtree) throws -> Hash) throws {
        guard (0...Tree.maximumSize).contains(size), (0..<size).contains(index) else {
            throw ProofError(description: "a tree of \(size) entries has no entry \(index)")
        }
        var siblings: [Range<Int64>] = []
        var range = 0..<size
        while range.count > 1 {
            let middle = range.lowerBound + largestPowerOfTwo(below: range.upperBound - range.lowerBound)
            if index < middle {
                siblings.append(middle..<range.upperBound)
                range = range.lowerBound..<middle
            } else {
                siblings.append(range.lowerBound..<middle)
                range = middle..<range.upperBound
            }
        }
        self.init(index: index, size: size, hashes: try siblings.reversed().map { try root(of: $0, stored) })
    }

    /// Whether it proves that the tree with this root has this entry (RFC 9162, section 2.1.3.2). Every number and hash
    /// in it may be hostile.
    package func proves(_ leaf: Hash, in root: Hash) -> Bool {
        guard index >= 0, index < size else { return false }
        var entry = index
        var last = size - 1
        var hash = leaf
        for sibling in hashes {
            guard last > 0 else { return false }
            if !entry.isMultiple(of: 2) || entry == last {
                hash = Hash.node(sibling, hash)
                // At the right edge a node may have no sibling on several levels.
                while entry.isMultiple(of: 2), entry > 0 {
                    entry >>= 1
                    last >>= 1
                }
            } else {
                hash = Hash.node(hash, sibling)
            }
            entry >>= 1
            last >>= 1
        }
        return last == 0 && hash == root
    }
}

/// That a tree begins with all entries of an older, smaller one (RFC 6962, section 2.1.2).
package struct ConsistencyProof: Sendable, Equatable {
    package let oldSize: Int64
    package let newSize: Int64
    package let hashes: [Hash]

    init(oldSize: Int64, newSize: Int64, hashes: [Hash]) {
        self.oldSize = oldSize
        self.newSize = newSize
        self.hashes = hashes
    }

    /// Makes the proof from stored hashes.
    ///
    /// - Parameter stored: gives the hash of a complete subtree; called about log₂(newSize) times.
    /// - Throws: `ProofError` where the old tree is empty or larger than the new one; whatever `stored` throws.
    package init(oldSize: Int64, newSize: Int64, stored: (Subtree) throws -> Hash) throws {
        guard (0...Tree.maximumSize).contains(newSize), oldSize > 0, oldSize <= newSize else {
            throw ProofError(description: "a tree of \(newSize) entries does not extend one of \(oldSize)")
        }
        var parts: [Range<Int64>] = []
        var range = 0..<newSize
        // The verifier knows the old tree's root, so as long as the way leads along the left edge and ends in
        // a whole subtree, that subtree is the old tree itself.
        while range.upperBound > oldSize {
            let middle = range.lowerBound + largestPowerOfTwo(below: range.upperBound - range.lowerBound)
            if oldSize <= middle {
                parts.append(middle..<range.upperBound)
                range = range.lowerBound..<middle
            } else {
                parts.append(range.lowerBound..<middle)
                range = middle..<range.upperBound
            }
        }
        if range.lowerBound > 0 { parts.append(range) }
        self.init(oldSize: oldSize, newSize: newSize, hashes: try parts.reversed().map { try root(of: $0, stored) })
    }

    /// Whether it proves that the tree with the new root extends the one with the old root (RFC 9162, section 2.1.4.2).
    /// Every number and hash in it may be hostile.
    package func proves(_ oldRoot: Hash, extendedBy newRoot: Hash) -> Bool {
        guard oldSize > 0, oldSize <= newSize else { return false }
        if oldSize == newSize { return hashes.isEmpty && oldRoot == newRoot }
        var old = oldSize - 1
        var new = newSize - 1
        while !old.isMultiple(of: 2) {
            old >>= 1
            new >>= 1
        }
        // An old tree that is one whole subtree begins the way itself.
        var rest = hashes[...]
        guard let start = old == 0 ? oldRoot : rest.popFirst() else { return false }
        var oldHash = start
        var newHash = start
        for hash in rest {
            guard new > 0 else { return false }
            if !old.isMultiple(of: 2) || old == new {
                oldHash = Hash.node(hash, oldHash)
                newHash = Hash.node(hash, newHash)
                while old.isMultiple(of: 2), old > 0 {
                    old >>= 1
                    new >>= 1
                }
            } else {
                newHash = Hash.node(newHash, hash)
            }
            old >>= 1
            new >>= 1
        }
        return new == 0 && oldHash == oldRoot && newHash == newRoot
    }
}

/// Where RFC 6962 splits a list of this many entries, at least two.
private func largestPowerOfTwo(below count: Int64) -> Int64 {
    1 << Int64(63 - (count - 1).leadingZeroBitCount)
}

/// The root over a range of entries that a split of RFC 6962 gives.
private func root(of range: Range<Int64>, _ stored: (Subtree) throws -> Hash) throws -> Hash {
    Tree.root(of: try Subtree.covering(range.lowerBound, range.upperBound).map(stored))
}
