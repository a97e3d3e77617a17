import Encoding
import OpenSSL

/// A public key with the name it signs under, and its text form, the *vkey* (c2sp.org/signed-note).
package struct VerifierKey: Hashable, Sendable, CustomStringConvertible {
    /// The name, which for a log is its origin. Visible ASCII without `+`, at most 255 characters: stricter than the
    /// specification, so that no two names look alike.
    package let name: String
    /// 32 bytes.
    package let publicKey: [UInt8]
    /// The first four bytes of SHA-256(name ‖ 0A ‖ 01 ‖ public key): which key a signature line means.
    package let id: UInt32

    /// The signature type of plain Ed25519 signatures.
    private static let ed25519: UInt8 = 1

    /// - Throws: `FormatError` for a name or a key that cannot be one.
    package init(name: String, publicKey: [UInt8]) throws(FormatError) {
        guard Self.isName(name) else {
            throw FormatError(.verifierKey, "the name must be 1 to 255 visible ASCII characters without +")
        }
        guard publicKey.count == Ed25519.publicKeyByteCount else {
            throw FormatError(.verifierKey, "the public key does not have \(Ed25519.publicKeyByteCount) bytes")
        }
        self.name = name
        self.publicKey = publicKey
        let digest = SHA256.hash(Array(name.utf8) + [UInt8(ascii: "\n"), Self.ed25519] + publicKey)
        id = (0..<4).reduce(0) { $0 << 8 | UInt32(digest[$1]) }
    }

    /// Reads a vkey: `name+hex(id)+base64(01 ‖ public key)`, and nothing before or behind it.
    ///
    /// - Throws: `FormatError`; also where the ID is not that of name and key.
    package init(parsing text: String) throws(FormatError) {
        // The base64 of the key may hold a plus itself.
        let parts = text.utf8.split(separator: UInt8(ascii: "+"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw FormatError(.verifierKey, "it does not have three parts joined by +") }
        guard let typed = Base64.standard.decode(parts[2]) else {
            throw FormatError(.verifierKey, "the third part is not base64")
        }
        guard typed.first == Self.ed25519 else { throw FormatError(.verifierKey, "it is not of type Ed25519") }
        try self.init(name: String(decoding: parts[0], as: UTF8.self), publicKey: Array(typed.dropFirst()))
        guard parts[1].elementsEqual(Self.hex(id).utf8) else {
            throw FormatError(.verifierKey, "the key ID in its middle does not belong to name and key")
        }
    }

    /// The vkey.
    package var description: String { "\(name)+\(Self.hex(id))+\(Base64.standard.encode([Self.ed25519] + publicKey))" }

    static func isName(_ name: String) -> Bool {
        (1...255).contains(name.utf8.count)
            && name.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "+") }
    }

    private static func hex(_ id: UInt32) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}

/// Signs for a log: its private key and the name it signs under.
package struct Signer: Sendable {
    /// What verifies the signatures.
    package let verifierKey: VerifierKey
    private let key: Ed25519.PrivateKey

    /// - Parameter origin: the log's name (`AUDIT_ORIGIN`).
    /// - Throws: `FormatError` where the origin cannot be a name.
    package init(origin: String, key: Ed25519.PrivateKey) throws(FormatError) {
        verifierKey = try VerifierKey(name: origin, publicKey: key.publicKey)
        self.key = key
    }

    func sign(_ text: [UInt8]) throws(OpenSSLError) -> [UInt8] { try key.sign(text) }
}
