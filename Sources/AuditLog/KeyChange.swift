import JSON
import OpenSSL

/// How a log comes to another key: the old key signs a statement that names the new one, and an entry `key_changed`
/// carries it. The new key signs every checkpoint that covers this entry; the old key signed every earlier one.
package struct KeyChange: Sendable, Equatable {
    /// The entry's `vkey`.
    package let newKey: VerifierKey
    /// The entry's `signature`: base64 of the old key's ID and its signature of the statement, as in a note's signature line.
    package let signature: String

    package init(newKey: VerifierKey, signature: String) {
        self.newKey = newKey
        self.signature = signature
    }

    /// Signs a change of keys with the old key.
    ///
    /// - Parameters:
    ///   - newKey: its name must be the origin of the log.
    ///   - tree: the log before this entry.
    ///   - signer: the old key.
    /// - Throws: `OpenSSLError` when there is no memory.
    package static func approve(
        _ newKey: VerifierKey, after tree: Tree, by signer: Signer
    ) throws(OpenSSLError) -> KeyChange {
        let text = statement(naming: newKey, after: tree, origin: signer.verifierKey.name)
        let signature = try SignedNote(text, signedBy: signer).signatures[0]
        return KeyChange(newKey: newKey, signature: signature.base64)
    }

    /// What the old key signs: five lines. Index and root tie it to this place in this log, so it cannot be used
    /// elsewhere; the second line keeps it from being a checkpoint.
    static func statement(naming newKey: VerifierKey, after tree: Tree, origin: String) -> [UInt8] {
        Array("\(origin)\nkey_changed\n\(tree.size)\n\(tree.root)\n\(newKey)\n".utf8)
    }

    /// The new key that an entry `key_changed` names, nil where the old key did not approve it for this place.
    ///
    /// - Parameters:
    ///   - tree: the log before this entry.
    ///   - oldKey: the key the log had there.
    /// - Throws: `OpenSSLError` when the library has no Ed25519 to offer or no memory.
    package static func newKey(
        in leaf: Leaf, after tree: Tree, oldKey: VerifierKey
    ) throws(OpenSSLError) -> VerifierKey? {
        guard let newKey = verifierKey(in: leaf.object), newKey.name == oldKey.name,
            case .string(let base64) = leaf.object["signature"],
            let signature = SignedNote.Signature(name: Array(oldKey.name.utf8), base64: base64.utf8),
            try signature.isValid(for: statement(naming: newKey, after: tree, origin: oldKey.name), by: oldKey)
        else { return nil }
        return newKey
    }

    /// The key under `vkey` of an entry.
    static func verifierKey(in object: JSONValue) -> VerifierKey? {
        guard case .string(let vkey) = object["vkey"] else { return nil }
        return try? VerifierKey(parsing: vkey)
    }
}
