/// Base64 (RFC 4648) in the two forms this project uses. Both are strict: no two texts stand for the same bytes, so no two
/// texts of a signature, a hash or a token mean the same.
package struct Base64: Sendable {
    /// The standard alphabet with padding (RFC 4648, section 4): notes, proofs, the `Sync-Checkpoint` header.
    package static let standard = Base64(characters: [UInt8(ascii: "+"), UInt8(ascii: "/")], isPadded: true)
    /// The URL alphabet without padding (RFC 4648, section 5; RFC 7515, section 2): tokens.
    package static let url = Base64(characters: [UInt8(ascii: "-"), UInt8(ascii: "_")], isPadded: false)

    private static let padding = UInt8(ascii: "=")
    private static let invalid: UInt8 = 0xFF

    private let alphabet: [UInt8]
    /// The value of each character, ``invalid`` for the others.
    private let values: [UInt8]
    private let isPadded: Bool

    /// - Parameter characters: those of the values 62 and 63.
    private init(characters: [UInt8], isPadded: Bool) {
        alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8) + characters
        var values = [UInt8](repeating: Self.invalid, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(truncatingIfNeeded: value) }
        self.values = values
        self.isPadded = isPadded
    }

    /// The text for these bytes.
    package func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var buffer = 0
        var bits = 0
        for byte in bytes {
            buffer = buffer << 8 | Int(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[buffer >> bits])
                buffer &= 1 << bits - 1
            }
        }
        if bits > 0 { text.append(alphabet[buffer << (6 - bits)]) }
        while isPadded, !text.count.isMultiple(of: 4) { text.append(Self.padding) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes of this text; nil unless it is exactly what ``encode(_:)`` gives for them: full padding or none, no white
    /// space, no foreign character, no bit set after the last byte.
    package func decode(_ text: some Collection<UInt8>) -> [UInt8]? { decode(Array(text)[...]) }

    /// The same without a generic type, because every token is decoded.
    package func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        if isPadded, !text.count.isMultiple(of: 4) { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3 + 2)
        var buffer = 0
        var bits = 0
        var padded = 0
        for character in text {
            if isPadded, character == Self.padding {
                padded += 1
                continue
            }
            let value = values[Int(character)]
            guard padded == 0, value != Self.invalid else { return nil }
            buffer = buffer << 6 | Int(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: buffer >> bits))
                buffer &= 1 << bits - 1
            }
        }
        // Two bits left over stand before one padding character, four before two. Six belong to no byte.
        guard buffer == 0, isPadded ? bits == padded * 2 : bits < 6 else { return nil }
        return bytes
    }
}
