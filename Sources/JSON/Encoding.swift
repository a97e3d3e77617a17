extension JSONValue {
    /// The value as UTF-8 text: members in their order, no white space, `/` not escaped, characters beyond
    /// ASCII as they are, control characters as `\n` `\r` `\t` `\b` `\f` or `\u00xx` (RFC 8259, section 7).
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    /// Appends what ``encoded()`` returns.
    package func append(to bytes: inout [UInt8]) {
        switch self {
        case .null:
            bytes += "null".utf8
        case .bool(let value):
            bytes += (value ? "true" : "false").utf8
        case .integer(let value):
            bytes += String(value).utf8
        case .number(let literal):
            bytes += literal.utf8
        case .string(let string):
            Self.append(string, to: &bytes)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                element.append(to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                Self.append(member.name, to: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.append(to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static func append(_ string: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        appendEscaped(string, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends the characters of a string as they stand between the quotes of a JSON string, so that a long text can be encoded in
    /// pieces. One byte of text becomes at most six.
    package static func appendEscaped(_ string: String, to bytes: inout [UInt8]) {
        var string = string
        string.withUTF8 { text in
            // Whole runs between the characters to escape are copied: a script's output may be a megabyte in one string.
            var run = 0
            escapes.withUnsafeBufferPointer { escapes in
                for index in 0..<text.count {
                    let letter = escapes[Int(text[index])]
                    guard letter != 0 else { continue }
                    bytes.append(contentsOf: text[run..<index])
                    if letter == UInt8(ascii: "u") {
                        bytes.append(contentsOf: controls[Int(text[index])])
                    } else {
                        bytes.append(UInt8(ascii: "\\"))
                        bytes.append(letter)
                    }
                    run = index + 1
                }
            }
            bytes.append(contentsOf: text[run...])
        }
    }

    /// How many bytes ``appendEscaped(_:to:)`` appends.
    package static func escapedCount(_ string: String) -> Int {
        var string = string
        return string.withUTF8 { text in
            escapes.withUnsafeBufferPointer { escapes in
                var count = text.count
                for byte in text {
                    let letter = escapes[Int(byte)]
                    guard letter != 0 else { continue }
                    count += letter == UInt8(ascii: "u") ? 5 : 1
                }
                return count
            }
        }
    }

    /// The letter behind the backslash for each byte that needs one; `u` stands for `\u00xx`, 0 for the byte itself.
    private static let escapes: [UInt8] = {
        var letters = [UInt8](repeating: 0, count: 256)
        for control in 0..<0x20 { letters[control] = UInt8(ascii: "u") }
        let named: [(Int, Character)] = [(0x08, "b"), (0x09, "t"), (0x0A, "n"), (0x0C, "f"), (0x0D, "r"), (0x22, "\""), (0x5C, "\\")]
        for (byte, letter) in named { letters[byte] = letter.asciiValue ?? 0 }
        return letters
    }()
    /// `\u00xx` for each control character. A text may consist of them, so each is appended in one piece.
    private static let controls: [[UInt8]] = (0..<0x20).map { control in
        let digits = String(control, radix: 16)
        return Array(("\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits).utf8)
    }
}
