import Encoding
import JSON
import OpenSSL

@testable import AuditLog

/// A log as a database keeps it, to be read and to be tampered with.
struct TestLog {
    static let origin = "log.example/sync-history"

    let signer: Signer
    private(set) var leaves: [[UInt8]] = []
    private(set) var tree = Tree()
    private(set) var hashes: [Subtree: Hash] = [:]
    private(set) var head: SignedCheckpoint

    /// A genesis and runs behind it. Another seed makes another log under the same key.
    init(entries: Int, signer: Signer? = nil, seed: Int = 0) throws {
        let signer = try signer ?? Self.signer(1)
        self.signer = signer
        head = try SignedCheckpoint(of: tree, signedBy: signer)
        try append(
            .genesis,
            [
                JSONValue.Member("origin", .string(signer.verifierKey.name)),
                JSONValue.Member("vkey", .string(signer.verifierKey.description)),
            ], at: Int64(seed))
        while leaves.count < entries { try appendRun() }
    }

    /// Keys that are the same in every run.
    static func key(_ number: UInt8) throws -> Ed25519.PrivateKey {
        let der = bytes(ofHex: "302e020100300506032b657004220420") + [UInt8](repeating: number, count: 32)
        return try Ed25519.PrivateKey(
            pem: Array("-----BEGIN PRIVATE KEY-----\n\(Base64.standard.encode(der))\n-----END PRIVATE KEY-----\n".utf8))
    }

    static func signer(_ number: UInt8) throws -> Signer { try Signer(origin: origin, key: key(number)) }

    mutating func appendRun(signedBy other: Signer? = nil) throws {
        let number = Int64(leaves.count)
        try append(
            number.isMultiple(of: 2) ? .runFinished : .runStarted,
            [JSONValue.Member("user", .string("ana")), JSONValue.Member("run", .integer((number + 1) / 2))], signedBy: other)
    }

    /// - Parameter at: microseconds behind the time that follows from the entry's number.
    mutating func append(
        _ event: Event, _ fields: [JSONValue.Member], at shift: Int64 = 0, signedBy other: Signer? = nil
    ) throws {
        let time = LeafTime(microseconds: 1_760_000_000_000_000 + Int64(leaves.count) * 1_000_000 + shift)
        try append(Leaf(event, at: time, fields).bytes, signedBy: other)
    }

    mutating func append(_ leaf: [UInt8], signedBy other: Signer? = nil) throws {
        leaves.append(leaf)
        for stored in tree.append(Hash.leaf(leaf)) { hashes[stored.subtree] = stored.hash }
        head = try SignedCheckpoint(of: tree, signedBy: other ?? signer)
    }

    /// The log's checkpoint when it had this size.
    func checkpoint(at size: Int64, signedBy other: Signer? = nil) throws -> SignedCheckpoint {
        let edge = Tree.edge(ofSize: size).compactMap { hashes[$0] }
        guard let tree = Tree(size: size, edge: edge) else { throw HashStore.Missing() }
        return try SignedCheckpoint(of: tree, signedBy: other ?? signer)
    }

    func stored(_ subtree: Subtree) throws -> Hash {
        guard let hash = hashes[subtree] else { throw HashStore.Missing() }
        return hash
    }

    /// The hashes that were stored with an entry.
    func stored(by entry: Int64) -> [Hash?] { Subtree.completed(by: entry).map { hashes[$0] } }

    func receipt(_ index: Int64) throws -> Receipt {
        try Receipt(
            entry: leaves[Int(index)], proof: InclusionProof(index: index, size: tree.size, stored: stored),
            signedCheckpoint: head)
    }

    /// The log after somebody edited the database.
    func tampered(_ edit: (inout Rows) throws -> Void) rethrows -> Rows {
        var rows = Rows(
            leaves: leaves.enumerated().map { (number: Int64($0.offset), bytes: $0.element) }, hashes: hashes,
            head: head)
        try edit(&rows)
        return rows
    }

    /// The three tables.
    struct Rows {
        var leaves: [(number: Int64, bytes: [UInt8])]
        var hashes: [Subtree: Hash]
        var head: SignedCheckpoint

        /// Makes all hashes fit the entries, as somebody would who knows the format but has no key.
        mutating func rehash() -> Tree {
            var tree = Tree()
            hashes = [:]
            for leaf in leaves {
                for stored in tree.append(Hash.leaf(leaf.bytes)) { hashes[stored.subtree] = stored.hash }
            }
            return tree
        }

        func verify(
            expecting key: VerifierKey? = nil, checkpoints: [SignedCheckpoint] = [], withHashes: Bool = true
        ) throws -> LogVerifier.Report {
            var verifier = LogVerifier(expectedKey: key, checkpoints: checkpoints)
            for leaf in leaves {
                let stored = Subtree.completed(by: leaf.number).map { hashes[$0] }
                try verifier.add(leaf.number, leaf.bytes, stored: withHashes ? stored : nil)
            }
            return try verifier.finish(head: head)
        }
    }
}

extension KeyChange {
    /// The members of an entry `key_changed`.
    static func fields(to newKey: VerifierKey, after tree: Tree, signedBy signer: Signer) throws -> [JSONValue.Member] {
        let change = try approve(newKey, after: tree, by: signer)
        return [.init("signature", .string(change.signature)), .init("vkey", .string(change.newKey.description))]
    }
}
