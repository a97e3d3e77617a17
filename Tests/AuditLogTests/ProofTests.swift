import TestSupport
import Testing

@testable import AuditLog

@Suite struct ProofTests {
    @Test func inclusionOfEveryEntryInEveryTreeUpTo300() throws {
        let leaves = numberedLeaves(300)
        let naive = NaiveTree(leaves)
        let stored = HashStore(leaves)
        var random = SeededGenerator(seed: 6962)
        for size in 1...leaves.count {
            let root = naive.root(0..<size)
            for index in 0..<size {
                let proof = try InclusionProof(index: Int64(index), size: Int64(size), stored: stored.callAsFunction)
                guard proof.hashes == naive.path(index, 0..<size), proof.proves(leaves[index], in: root) else {
                    Issue.record("entry \(index) of \(size)")
                    continue
                }
                if let accepted = Self.damaged(proof, bits: size <= 20 ? nil : 1, &random).first(where: {
                    $0.proves(leaves[index], in: root)
                }) {
                    Issue.record("entry \(index) of \(size): \(accepted)")
                }
            }
        }
    }

    @Test func consistencyOfEveryTwoTreesUpTo300() throws {
        let leaves = numberedLeaves(300)
        let naive = NaiveTree(leaves)
        let stored = HashStore(leaves)
        var random = SeededGenerator(seed: 9162)
        for new in 1...leaves.count {
            let newRoot = naive.root(0..<new)
            for old in 1...new {
                let oldRoot = naive.root(0..<old)
                let proof = try ConsistencyProof(
                    oldSize: Int64(old), newSize: Int64(new), stored: stored.callAsFunction)
                guard proof.hashes == naive.consistency(old, new), proof.proves(oldRoot, extendedBy: newRoot) else {
                    Issue.record("\(old) to \(new)")
                    continue
                }
                if let accepted = Self.damaged(proof.hashes, bits: new <= 20 ? nil : 1, &random).first(where: {
                    ConsistencyProof(oldSize: proof.oldSize, newSize: proof.newSize, hashes: $0)
                        .proves(oldRoot, extendedBy: newRoot)
                }) {
                    Issue.record("\(old) to \(new): \(accepted)")
                }
                #expect(old == new || !proof.proves(newRoot, extendedBy: oldRoot))
                #expect(!proof.proves(leaves[0], extendedBy: newRoot) || old == 1)
            }
        }
    }

    @Test func randomOnesUpTo100000() throws {
        let leaves = numberedLeaves(100_000)
        let naive = NaiveTree(leaves)
        let stored = HashStore(leaves)
        var random = SeededGenerator(seed: 100_000)
        for round in 0..<12 {
            let size = round == 0 ? leaves.count : Int.random(in: 1...leaves.count, using: &random)
            let root = naive.root(0..<size)
            for number in 0..<40 {
                let index = number == 0 ? size - 1 : Int.random(in: 0..<size, using: &random)
                let proof = try InclusionProof(index: Int64(index), size: Int64(size), stored: stored.callAsFunction)
                #expect(proof.hashes == naive.path(index, 0..<size))
                #expect(proof.proves(leaves[index], in: root))
                #expect(!Self.damaged(proof, bits: 2, &random).contains { $0.proves(leaves[index], in: root) })
                let old = index + 1
                let consistency = try ConsistencyProof(
                    oldSize: Int64(old), newSize: Int64(size), stored: stored.callAsFunction)
                #expect(consistency.hashes == naive.consistency(old, size))
                #expect(consistency.proves(naive.root(0..<old), extendedBy: root))
            }
        }
    }

    @Test func anotherEntryOrRootIsNotProved() throws {
        let leaves = numberedLeaves(64)
        let stored = HashStore(leaves)
        for index in 0..<64 {
            let proof = try InclusionProof(index: Int64(index), size: 64, stored: stored.callAsFunction)
            for other in 0..<64 where other != index { #expect(!proof.proves(leaves[other], in: stored.tree.root)) }
            #expect(!proof.proves(leaves[index], in: leaves[index]))
        }
    }

    /// A true proof of a larger tree, with the numbers of its right half: it goes one step beyond the claimed root.
    @Test func aProofThatGoesBeyondTheRootIsRefused() throws {
        let leaves = numberedLeaves(8)
        let stored = HashStore(leaves)
        let larger = try InclusionProof(index: 6, size: 8, stored: stored.callAsFunction)
        #expect(larger.proves(leaves[6], in: stored.tree.root))
        let claimed = InclusionProof(index: 2, size: 4, hashes: larger.hashes)
        #expect(!claimed.proves(leaves[6], in: stored.tree.root))
        let old = NaiveTree(leaves).root(0..<7)
        let extended = try ConsistencyProof(oldSize: 7, newSize: 8, stored: stored.callAsFunction)
        #expect(extended.proves(old, extendedBy: stored.tree.root))
        let smaller = ConsistencyProof(oldSize: 3, newSize: 4, hashes: extended.hashes)
        #expect(!smaller.proves(old, extendedBy: stored.tree.root))
    }

    @Test func nonsenseIsRefusedBothWays() throws {
        let stored = HashStore(numberedLeaves(10))
        for (index, size) in [(10, 10), (-1, 10), (0, 0), (0, -1), (.max, .max), (0, .max)] as [(Int64, Int64)] {
            #expect(throws: ProofError.self) {
                try InclusionProof(index: index, size: size, stored: stored.callAsFunction)
            }
        }
        for (old, new) in [(0, 10), (11, 10), (-1, 10), (1, .max), (.min, .max)] as [(Int64, Int64)] {
            #expect(throws: ProofError.self) {
                try ConsistencyProof(oldSize: old, newSize: new, stored: stored.callAsFunction)
            }
        }
        #expect(throws: HashStore.Missing.self) {
            try InclusionProof(index: 0, size: 11, stored: stored.callAsFunction)
        }
        let numbers: [Int64] = [.min, -1, 0, 1, 2, 3, 1 << 60, .max - 1, .max]
        for count in [0, 1, 2, 64, 200] {
            let hashes = [Hash](repeating: .empty, count: count)
            for first in numbers {
                for second in numbers {
                    // A tree of one entry is the entry.
                    #expect(
                        InclusionProof(index: first, size: second, hashes: hashes).proves(.empty, in: .empty)
                            == (first == 0 && second == 1 && count == 0))
                    #expect(
                        ConsistencyProof(oldSize: first, newSize: second, hashes: hashes)
                            .proves(.empty, extendedBy: .empty) == (first == second && first > 0 && count == 0))
                }
            }
        }
    }

    /// The proof with the index one bit off and with each of its hashes damaged.
    private static func damaged(
        _ proof: InclusionProof, bits: Int?, _ random: inout SeededGenerator
    ) -> [InclusionProof] {
        (0...(64 - proof.size.leadingZeroBitCount)).map {
            InclusionProof(index: proof.index ^ 1 << $0, size: proof.size, hashes: proof.hashes)
        }
            + damaged(proof.hashes, bits: bits, &random).map {
                InclusionProof(index: proof.index, size: proof.size, hashes: $0)
            }
    }

    /// The hashes with one bit turned: so many random ones, or every single one, and then also with one hash left out, one
    /// twice, two swapped. And always with one more.
    private static func damaged(_ hashes: [Hash], bits: Int?, _ random: inout SeededGenerator) -> [[Hash]] {
        let all = 0..<(hashes.count * 256)
        let turned =
            bits.map { count in (0..<count).compactMap { _ in all.randomElement(using: &random) } } ?? Array(all)
        var results = [hashes + [.empty]]
        for bit in turned {
            var bytes = hashes[bit / 256].bytes
            bytes[bit % 256 / 8] ^= 1 << (bit % 8)
            var damaged = hashes
            damaged[bit / 256] = Hash(bytes) ?? .empty
            results.append(damaged)
        }
        for place in hashes.indices where bits == nil {
            results.append(Array(hashes[..<place] + hashes[(place + 1)...]))
            results.append(Array(hashes[...place] + hashes[place...]))
            if place > 0 {
                var swapped = hashes
                swapped.swapAt(place - 1, place)
                results.append(swapped)
            }
        }
        return results
    }
}
