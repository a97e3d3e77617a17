import JSON
import OpenSSL

/// How a log comes to another key: the old key signs a statement that names the new one, and an entry `key_changed`
/// carries it. Every checkpoint that covers this entry is signed by the new key, every earlier one by the old.
package enum KeyChange {
    /// The fields of an entry `key_changed`: `vkey`, the new key's, and `signature`, base64 of the old key's ID and its
    /// signature of the statement, as in a note's signature line.
    ///
    /// - Parameters:
    ///   - newKey: its name must be the origin of the log.
    ///   - tree: the log before this entry.
    ///   - signer: the old key.
    /// - Throws: `OpenSSLError` when there is no memory.
    package static func fields(
        to newKey: VerifierKey, after tree: Tree, signedBy signer: Signer
    ) throws(OpenSSLError) -> [JSONValue.Member] {
        let text = statement(naming: newKey, after: tree, origin: signer.verifierKey.name)
        let signature = try SignedNote(text, signedBy: signer).signatures[0]
        return [
            JSONValue.Member("signature", .string(signature.base64)),
            JSONValue.Member("vkey", .string(newKey.description)),
        ]
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
