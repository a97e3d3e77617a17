/// The parameters of a request. Unknown, repeated and malformed ones are errors, because a filter that is silently
/// ignored shows an auditor the wrong runs.
package struct Query {
    private var values: [String: String] = [:]

    /// - Parameter text: the query behind `?`, in the form of application/x-www-form-urlencoded.
    /// - Throws: ``RequestError/badRequest(_:)`` if the form is wrong or a parameter is repeated.
    package init(_ text: String) throws(RequestError) {
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decode(parts[0]), let value = Self.decode(parts.count > 1 ? parts[1] : ""), values[name] == nil
            else { throw .badRequest("The query is malformed or repeats a parameter") }
            values[name] = value
        }
    }

    /// - Throws: ``RequestError/badRequest(_:)`` if there is any other parameter.
    package func allow(only names: Set<String>) throws(RequestError) {
        guard values.keys.allSatisfy(names.contains) else {
            throw .badRequest("Unknown parameter; known are \(names.sorted().joined(separator: ", "))")
        }
    }

    /// - Parameters:
    ///   - form: describes the expected form, for the client.
    ///   - read: returns nil for a malformed value.
    /// - Returns: nil without the parameter.
    /// - Throws: ``RequestError/badRequest(_:)`` if `read` returns nil.
    package func value<Result>(_ name: String, _ form: String, _ read: (String) -> Result?) throws(RequestError) -> Result? {
        guard let text = values[name] else { return nil }
        guard let value = read(text) else { throw .badRequest("\(name) must be \(form)") }
        return value
    }

    private static func decode(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                // Checked here, because UInt8's own parser accepts a sign as the first character.
                guard rest.count >= 2, rest.prefix(2).allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
                    let decoded = UInt8(String(Substring(rest.prefix(2))), radix: 16)
                else { return nil }
                bytes.append(decoded)
                rest = rest.dropFirst(2)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
