import Testing

@testable import AuditLog

@Suite struct TreeTests {
    /// The entries and roots with which the RFC's authors test their own implementation.
    static let entries = [
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    ]
    static let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]

    @Test func rootsOfRFC6962() {
        var tree = Tree()
        #expect(hex(tree.root.bytes) == Self.roots[0])
        for (entry, root) in zip(Self.entries, Self.roots.dropFirst()) {
            _ = tree.append(Hash.leaf(bytes(ofHex: entry)))
            #expect(hex(tree.root.bytes) == root)
        }
    }

    @Test func everySizeUpTo1000AgainstTheDefinition() throws {
        let leaves = numberedLeaves(1000)
        let naive = NaiveTree(leaves)
        var tree = Tree()
        var stored: [Subtree: Hash] = [:]
        for (number, leaf) in leaves.enumerated() {
            let completed = tree.append(leaf)
            #expect(completed.map(\.subtree) == Subtree.completed(by: Int64(number)))
            for hash in completed {
                #expect(stored.updateValue(hash.hash, forKey: hash.subtree) == nil)
                let entries = hash.subtree.entries
                #expect(hash.hash == naive.root(Int(entries.lowerBound)..<Int(entries.upperBound)))
            }
            #expect(tree.root == naive.root(0..<(number + 1)))
            #expect(tree.size == number + 1)
            let edge = Tree.edge(ofSize: tree.size).compactMap { stored[$0] }
            #expect(Tree(size: tree.size, edge: edge) == tree)
        }
    }

    /// Position is the order in which hashes become known, without a gap.
    @Test func positionsCountTheStoredHashes() {
        var next: Int64 = 0
        for number in 0..<Int64(5000) {
            for subtree in Subtree.completed(by: number) {
                #expect(subtree.position == next)
                next += 1
            }
        }
        #expect(Subtree(level: 60, index: 0).position == (1 << 61) - 2)
    }

    @Test func whatDoesNotFitIsRefused() {
        let hash = Hash.empty
        #expect(Tree(size: 3, edge: [hash]) == nil)
        #expect(Tree(size: 3, edge: [hash, hash, hash]) == nil)
        #expect(Tree(size: -1, edge: []) == nil)
        #expect(Tree(size: .min, edge: [hash]) == nil)
        #expect(Tree(size: Tree.maximumSize + 1, edge: [hash, hash]) == nil)
        #expect(Tree.edge(ofSize: -1).isEmpty)
        #expect(Tree.edge(ofSize: .max).isEmpty)
        #expect(Subtree.completed(by: -1).isEmpty)
        #expect(Subtree.completed(by: .max).isEmpty)
        #expect(Hash([UInt8](repeating: 0, count: 31)) == nil)
        #expect(Hash([UInt8](repeating: 0, count: 33)) == nil)
    }

    @Test func theLargestTreeTakesNoMore() throws {
        var full = try #require(Tree(size: Tree.maximumSize, edge: [.empty]))
        #expect(full.append(.empty).isEmpty)
        #expect(full.size == Tree.maximumSize)
        let edge = [Hash](repeating: .empty, count: 60)
        var almost = try #require(Tree(size: Tree.maximumSize - 1, edge: edge))
        #expect(almost.append(.empty).count == 61)
        #expect(almost.size == Tree.maximumSize)
    }
}

func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
}

func bytes(ofHex text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
