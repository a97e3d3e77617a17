import Encoding
import OpenSSL

/// What a log is at one moment: three lines (c2sp.org/tlog-checkpoint).
package struct Checkpoint: Sendable, Equatable {
    /// The log's name.
    package let origin: String
    /// The number of entries.
    package let size: Int64
    /// The root of the tree over them.
    package let root: Hash

    init(origin: String, size: Int64, root: Hash) {
        self.origin = origin
        self.size = size
        self.root = root
    }

    /// The text that is signed: each line with its line feed.
    package var text: [UInt8] { Array("\(origin)\n\(size)\n\(root)\n".utf8) }

    /// Reads the text of a note.
    ///
    /// - Throws: `FormatError`; also for lines behind the third, which the specification allows but no auditor can check.
    init(parsing text: [UInt8]) throws(FormatError) {
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // A text ends with a line feed, hence the empty line behind it.
        guard lines.count == 4, lines[3].isEmpty else { throw FormatError(.checkpoint, "it does not have three lines") }
        let origin = String(decoding: lines[0], as: UTF8.self)
        guard VerifierKey.isName(origin) else { throw FormatError(.checkpoint, "its first line cannot be an origin") }
        guard let size = Decimal.parse(lines[1]) else {
            throw FormatError(.checkpoint, "its second line is not the size of a tree")
        }
        guard let root = Hash(base64: lines[2]) else {
            throw FormatError(.checkpoint, "its third line is not the base64 of a hash")
        }
        self.init(origin: origin, size: size, root: root)
    }
}

/// A checkpoint with its signature: what leaves the machine and what an auditor keeps.
package struct SignedCheckpoint: Sendable, Equatable {
    package let checkpoint: Checkpoint
    package let note: SignedNote

    /// Signs the state of a tree. Whoever calls answers for it that the tree extends all that were signed before.
    ///
    /// - Throws: `OpenSSLError` when there is no memory.
    package init(of tree: Tree, signedBy signer: Signer) throws(OpenSSLError) {
        checkpoint = Checkpoint(origin: signer.verifierKey.name, size: tree.size, root: tree.root)
        note = try SignedNote(checkpoint.text, signedBy: signer)
    }

    /// The same with the signature of one more key: at a change of keys the old one vouches for the entry that ends it.
    ///
    /// - Throws: `OpenSSLError` when there is no memory.
    package func cosigned(by signer: Signer) throws(OpenSSLError) -> SignedCheckpoint {
        SignedCheckpoint(checkpoint: checkpoint, note: try note.cosigned(by: signer))
    }

    private init(checkpoint: Checkpoint, note: SignedNote) {
        self.checkpoint = checkpoint
        self.note = note
    }

    /// Reads a note that may come from anybody. Verifies no signature.
    ///
    /// - Throws: `FormatError`.
    package init(parsing bytes: [UInt8]) throws(FormatError) {
        note = try SignedNote(parsing: bytes)
        checkpoint = try Checkpoint(parsing: note.text)
    }

    /// Whether this key signed it, and under its own name.
    ///
    /// - Throws: `OpenSSLError` when the library has no Ed25519 to offer or no memory.
    package func isSigned(by key: VerifierKey) throws(OpenSSLError) -> Bool {
        guard checkpoint.origin.utf8.elementsEqual(key.name.utf8) else { return false }
        return try note.isSigned(by: key)
    }
}

/// Whether stored bytes are a checkpoint as this program writes it, compared byte by byte with what it should say: a
/// verification compares them by the million.
struct StoredCheckpointForm {
    /// The base64 of four bytes of key ID and 64 of signature.
    private static let signatureBytes = 92

    /// - Parameter tree: what it has to be of.
    func holds(_ note: [UInt8], origin: String, tree: Tree) -> Bool {
        let text = Checkpoint(origin: origin, size: tree.size, root: tree.root).text
        let line = Array("\n— \(origin) ".utf8)
        guard note.count == text.count + line.count + Self.signatureBytes + 1, note.last == UInt8(ascii: "\n") else { return false }
        let signature = note[(text.count + line.count)...].dropLast()
        return note.starts(with: text) && note[text.count...].starts(with: line) && Base64.standard.decode(signature) != nil
    }
}
