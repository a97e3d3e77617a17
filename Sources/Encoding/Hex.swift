/// Lower-case hexadecimal text, as digests are written.
package enum Hex {
    /// The digits by their value.
    package static let digits = Array("0123456789abcdef".utf8)

    /// The bytes as two digits each.
    package static func text(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(2 * bytes.count)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
