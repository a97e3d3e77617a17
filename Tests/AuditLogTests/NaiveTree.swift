@testable import AuditLog

/// RFC 6962, section 2.1, word for word and as slow, over hashes of entries: what everything else is compared with.
final class NaiveTree {
    let leaves: [Hash]
    private var roots: [Range<Int>: Hash] = [:]

    init(_ leaves: [Hash]) { self.leaves = leaves }

    /// MTH of the entries in this range.
    func root(_ range: Range<Int>) -> Hash {
        if range.isEmpty { return .empty }
        if range.count == 1 { return leaves[range.lowerBound] }
        if let known = roots[range] { return known }
        let middle = range.lowerBound + Self.split(range.count)
        let hash = Hash.node(root(range.lowerBound..<middle), root(middle..<range.upperBound))
        roots[range] = hash
        return hash
    }

    /// PATH(m, D[n]), section 2.1.1.
    func path(_ index: Int, _ range: Range<Int>) -> [Hash] {
        guard range.count > 1 else { return [] }
        let middle = range.lowerBound + Self.split(range.count)
        return index < middle
            ? path(index, range.lowerBound..<middle) + [root(middle..<range.upperBound)]
            : path(index, middle..<range.upperBound) + [root(range.lowerBound..<middle)]
    }

    /// PROOF(m, D[n]), section 2.1.2.
    func consistency(_ old: Int, _ new: Int) -> [Hash] { subproof(old, 0..<new, true) }

    private func subproof(_ old: Int, _ range: Range<Int>, _ isWhole: Bool) -> [Hash] {
        if old == range.upperBound { return isWhole ? [] : [root(range)] }
        let middle = range.lowerBound + Self.split(range.count)
        return old <= middle
            ? subproof(old, range.lowerBound..<middle, isWhole) + [root(middle..<range.upperBound)]
            : subproof(old, middle..<range.upperBound, false) + [root(range.lowerBound..<middle)]
    }

    private static func split(_ count: Int) -> Int {
        var power = 1
        while power * 2 < count { power *= 2 }
        return power
    }
}

/// Hashes as a database keeps them.
struct HashStore {
    private(set) var tree = Tree()
    private(set) var hashes: [Subtree: Hash] = [:]

    init(_ leaves: [Hash]) {
        for leaf in leaves {
            for stored in tree.append(leaf) { hashes[stored.subtree] = stored.hash }
        }
    }

    struct Missing: Error {}

    func callAsFunction(_ subtree: Subtree) throws -> Hash {
        guard let hash = hashes[subtree] else { throw Missing() }
        return hash
    }
}

/// Hashes of entries that say their number.
func numberedLeaves(_ count: Int) -> [Hash] { (0..<count).map { Hash.leaf(Array("entry \($0)".utf8)) } }
