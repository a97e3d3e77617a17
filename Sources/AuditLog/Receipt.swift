import Encoding
import OpenSSL

/// That one entry is in the log: the entry, its proof and a signed checkpoint in one text (c2sp.org/tlog-proof), for
/// checking anywhere, with nothing but the verifier key.
package struct Receipt: Sendable, Equatable {
    private static let header = "c2sp.org/tlog-proof@v1"
    /// Longer receipts are refused unread.
    package static let maximumBytes = 128 * 1024

    /// The entry's bytes, in the line `extra`. The specification leaves that line to the application and authenticates
    /// nothing in it; the proof authenticates these.
    package let entry: [UInt8]
    package let proof: InclusionProof
    package let signedCheckpoint: SignedCheckpoint

    /// - Throws: `ProofError` where the proof is for a tree of another size than the checkpoint.
    package init(
        entry: [UInt8], proof: InclusionProof, signedCheckpoint: SignedCheckpoint
    ) throws(ProofError) {
        let size = signedCheckpoint.checkpoint.size
        guard proof.size == size else {
            throw ProofError(description: "the proof is for \(proof.size) entries, the checkpoint for \(size)")
        }
        self.entry = entry
        self.proof = proof
        self.signedCheckpoint = signedCheckpoint
    }

    /// Reads a receipt, which may be hostile. Verifies nothing.
    ///
    /// - Throws: `FormatError`; also where there is no line `extra`.
    package init(parsing bytes: [UInt8]) throws(FormatError) {
        let lineFeed = UInt8(ascii: "\n")
        guard bytes.count <= Self.maximumBytes else {
            throw FormatError(.receipt, "it is longer than \(Self.maximumBytes) bytes")
        }
        // No line of the proof is empty, so the first empty line ends it.
        guard let end = bytes.indices.dropFirst().first(where: { bytes[$0] == lineFeed && bytes[$0 - 1] == lineFeed })
        else { throw FormatError(.receipt, "it has no empty line before its checkpoint") }
        let lines = bytes[..<(end - 1)].split(separator: lineFeed, omittingEmptySubsequences: false)
        guard lines.count >= 3, lines[0].elementsEqual(Self.header.utf8) else {
            throw FormatError(.receipt, "its first line is not \(Self.header), or lines are missing")
        }
        guard let entry = Self.value(of: "extra ", in: lines[1]).flatMap({ Base64.standard.decode($0) }) else {
            throw FormatError(.receipt, "its second line is not the base64 of an entry")
        }
        guard let index = Self.value(of: "index ", in: lines[2]).flatMap({ Decimal.parse($0) }) else {
            throw FormatError(.receipt, "its third line is not the index of an entry")
        }
        var hashes: [Hash] = []
        // A tree of 2^60 entries has proofs of 60 hashes.
        guard lines.count <= 3 + 60 else { throw FormatError(.receipt, "it has too many hashes") }
        for line in lines[3...] {
            guard let hash = Hash(base64: line) else {
                throw FormatError(.receipt, "a line of its proof is not the base64 of a hash")
            }
            hashes.append(hash)
        }
        signedCheckpoint = try SignedCheckpoint(parsing: Array(bytes[(end + 1)...]))
        self.entry = entry
        proof = InclusionProof(index: index, size: signedCheckpoint.checkpoint.size, hashes: hashes)
    }

    private static func value(of name: String, in line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        line.starts(with: name.utf8) ? line.dropFirst(name.utf8.count) : nil
    }

    /// The receipt's bytes; the usual file name ends in `.tlog-proof`.
    package var encoded: [UInt8] {
        let lines =
            [Self.header, "extra \(Base64.standard.encode(entry))", "index \(proof.index)"] + proof.hashes.map(\.description)
        return Array(lines.map { $0 + "\n" }.joined().utf8) + [UInt8(ascii: "\n")] + signedCheckpoint.note.encoded
    }

    /// Whether the checkpoint is signed by this key and the proof shows the entry in it.
    ///
    /// - Throws: `OpenSSLError` when the library has no Ed25519 to offer or no memory.
    package func isValid(by key: VerifierKey) throws(OpenSSLError) -> Bool {
        guard try signedCheckpoint.isSigned(by: key) else { return false }
        return proof.proves(Hash.leaf(entry), in: signedCheckpoint.checkpoint.root)
    }
}
