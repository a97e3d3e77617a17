import Encoding
import OpenSSL

/// A text with signatures (c2sp.org/signed-note). The text says nothing until `isSigned(by:)` is true.
package struct SignedNote: Sendable, Equatable {
    /// One signature line.
    struct Signature: Sendable, Equatable {
        /// In UTF-8, because names of equal bytes are meant, not of equal characters.
        let name: [UInt8]
        let keyID: UInt32
        let bytes: [UInt8]

        /// The base64 in the line: of the key ID and the signature.
        var base64: String {
            Base64.standard.encode((0..<4).map { UInt8(truncatingIfNeeded: keyID >> (24 - 8 * $0)) } + bytes)
        }

        init(name: [UInt8], keyID: UInt32, bytes: [UInt8]) {
            self.name = name
            self.keyID = keyID
            self.bytes = bytes
        }

        /// - Returns: nil where the base64 is not strict or holds no signature behind the key ID.
        init?(name: [UInt8], base64: some Collection<UInt8>) {
            guard let blob = Base64.standard.decode(base64), blob.count > 4 else { return nil }
            self.name = name
            keyID = blob.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
            bytes = Array(blob.dropFirst(4))
        }

        /// Whether it is the key's, and not only under its name, over this text.
        func isValid(for text: [UInt8], by key: VerifierKey) throws(OpenSSLError) -> Bool {
            guard isClaimed(by: key) else { return false }
            return try Ed25519.isValid(bytes, of: text, publicKey: key.publicKey)
        }

        func isClaimed(by key: VerifierKey) -> Bool { keyID == key.id && name.elementsEqual(key.name.utf8) }
    }

    /// Longer notes are refused unread.
    package static let maximumBytes = 64 * 1024
    private static let maximumSignatures = 100

    /// The signed text with its last line feed.
    package let text: [UInt8]
    let signatures: [Signature]

    /// Signs a text that ends with a line feed and has no control characters besides.
    ///
    /// - Throws: `OpenSSLError` when there is no memory.
    init(_ text: [UInt8], signedBy signer: Signer) throws(OpenSSLError) {
        self.text = text
        let key = signer.verifierKey
        signatures = [Signature(name: Array(key.name.utf8), keyID: key.id, bytes: try signer.sign(text))]
    }

    /// The note with one more signature, behind the others.
    ///
    /// - Throws: `OpenSSLError` when there is no memory.
    func cosigned(by signer: Signer) throws(OpenSSLError) -> SignedNote {
        SignedNote(text: text, signatures: signatures + (try SignedNote(text, signedBy: signer)).signatures)
    }

    private init(text: [UInt8], signatures: [Signature]) {
        self.text = text
        self.signatures = signatures
    }

    /// Reads a note, which may be hostile. Verifies no signature.
    ///
    /// - Throws: `FormatError`.
    package init(parsing bytes: [UInt8]) throws(FormatError) {
        let lineFeed = UInt8(ascii: "\n")
        guard bytes.count <= Self.maximumBytes else {
            throw FormatError(.note, "it is longer than \(Self.maximumBytes) bytes")
        }
        guard bytes.allSatisfy({ $0 >= 0x20 || $0 == lineFeed }), String(validating: bytes, as: UTF8.self) != nil else {
            throw FormatError(.note, "it is not UTF-8 or has control characters")
        }
        // The last empty line parts text and signatures; the text may have empty lines of its own.
        guard bytes.last == lineFeed,
            let separator = bytes.indices.dropFirst().last(where: {
                bytes[$0] == lineFeed && bytes[$0 - 1] == lineFeed
            })
        else { throw FormatError(.note, "it has no empty line before its signatures, or no line feed at its end") }
        let lines = bytes[(separator + 1)...].dropLast().split(separator: lineFeed, omittingEmptySubsequences: false)
        guard separator > 1, (1...Self.maximumSignatures).contains(lines.count) else {
            throw FormatError(.note, "it has no text, no signature or too many")
        }
        text = Array(bytes[..<separator])
        var signatures: [Signature] = []
        for line in lines { signatures.append(try Self.parse(line)) }
        self.signatures = signatures
    }

    /// `— name base64(key ID ‖ signature)`
    private static func parse(_ line: ArraySlice<UInt8>) throws(FormatError) -> Signature {
        let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].elementsEqual("—".utf8) else {
            throw FormatError(.note, "a signature line is not a dash, a name and base64")
        }
        let name = String(decoding: parts[1], as: UTF8.self)
        guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "+")),
            !name.unicodeScalars.contains(where: \.properties.isWhitespace)
        else { throw FormatError(.note, "a signature line has a name that is none") }
        guard let signature = Signature(name: Array(parts[1]), base64: parts[2]) else {
            throw FormatError(.note, "a signature is not base64 or too short")
        }
        return signature
    }

    /// The note's bytes.
    package var encoded: [UInt8] {
        var bytes = text + [UInt8(ascii: "\n")]
        for signature in signatures { bytes += "— ".utf8 + signature.name + " \(signature.base64)\n".utf8 }
        return bytes
    }

    /// Whether the note has the key's signature and it is valid. Signatures of others do not count.
    ///
    /// - Throws: `OpenSSLError` when the library has no Ed25519 to offer or no memory.
    package func isSigned(by key: VerifierKey) throws(OpenSSLError) -> Bool {
        guard let signature = signatures.first(where: { $0.isClaimed(by: key) }) else { return false }
        return try signature.isValid(for: text, by: key)
    }
}
