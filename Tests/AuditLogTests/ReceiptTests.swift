import Encoding
import TestSupport
import Testing

@testable import AuditLog

@Suite struct ReceiptTests {
    @Test func theTextOfAReceipt() throws {
        let log = try TestLog(entries: 3)
        let receipt = try log.receipt(1)
        let siblings = [Hash.leaf(log.leaves[0]), Hash.leaf(log.leaves[2])]
        let expected =
            "c2sp.org/tlog-proof@v1\nextra \(Base64.standard.encode(log.leaves[1]))\nindex 1\n\(siblings[0])\n\(siblings[1])\n\n"
            + String(decoding: log.head.note.encoded, as: UTF8.self)
        #expect(receipt.encoded == Array(expected.utf8))
    }

    @Test func everyEntryHasAReceipt() throws {
        for size in [1, 2, 3, 7, 64, 65] {
            let log = try TestLog(entries: size)
            for index in 0..<Int64(size) {
                let receipt = try log.receipt(index)
                #expect(try Receipt(parsing: receipt.encoded) == receipt)
                #expect(try receipt.isValid(by: log.signer.verifierKey))
                #expect(try !receipt.isValid(by: TestLog.signer(2).verifierKey))
            }
        }
    }

    @Test func everyBitCounts() throws {
        let log = try TestLog(entries: 6)
        let bytes = try log.receipt(4).encoded
        for bit in 0..<(bytes.count * 8) {
            var turned = bytes
            turned[bit / 8] ^= 1 << (bit % 8)
            let receipt = try? Receipt(parsing: turned)
            #expect(try receipt?.isValid(by: log.signer.verifierKey) != true, "bit \(bit)")
        }
    }

    @Test func partsOfTwoReceiptsDoNotMix() throws {
        let log = try TestLog(entries: 8)
        let (first, second) = (try log.receipt(3), try log.receipt(4))
        let mixed = try Receipt(entry: first.entry, proof: second.proof, signedCheckpoint: log.head)
        #expect(try !mixed.isValid(by: log.signer.verifierKey))
        #expect(throws: ProofError.self) {
            try Receipt(entry: first.entry, proof: first.proof, signedCheckpoint: log.checkpoint(at: 7))
        }
    }

    @Test func aReceiptOfTheLargestEntryIsNotTooLong() throws {
        var log = try TestLog(entries: 500)
        try log.append([UInt8](repeating: 0x20, count: Leaf.maximumBytes))
        let receipt = try log.receipt(500)
        #expect(receipt.encoded.count < Receipt.maximumBytes)
        #expect(try Receipt(parsing: receipt.encoded).isValid(by: log.signer.verifierKey))
    }

    @Test func damagedReceiptsNeitherTrapNorPass() throws {
        let log = try TestLog(entries: 100)
        let original = try log.receipt(77).encoded
        var random = SeededGenerator(seed: 7738)
        var parsed = 0
        for _ in 0..<20_000 {
            let mutated = random.mutate(original)
            guard mutated != original, let receipt = try? Receipt(parsing: mutated) else { continue }
            parsed += 1
            #expect(receipt.encoded == mutated)
            // Lines of others' signatures are the only thing that may be added.
            #expect(
                try !receipt.isValid(by: log.signer.verifierKey) || receipt.signedCheckpoint.note.signatures.count > 1)
        }
        #expect(parsed > 100)
    }

    @Test func piecesOfAReceiptAreNone() throws {
        let bytes = try TestLog(entries: 20).receipt(13).encoded
        for end in bytes.indices { #expect(throws: FormatError.self) { try Receipt(parsing: Array(bytes[..<end])) } }
        for start in bytes.indices.dropFirst() {
            #expect(throws: FormatError.self) { try Receipt(parsing: Array(bytes[start...])) }
        }
        #expect(throws: FormatError.self) {
            try Receipt(parsing: [UInt8](repeating: 10, count: Receipt.maximumBytes + 1))
        }
    }
}
