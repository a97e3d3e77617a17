/// The header fields of a request, in their order. Values are decoded when they are asked for, because most are not.
package struct RequestFields: Sendable, Equatable {
    /// Where a field's name and value, without blanks around it, stand in the head.
    struct Line: Sendable, Equatable {
        let name: Range<Int>
        let value: Range<Int>
    }

    private let head: [UInt8]
    private let lines: [Line]

    init(_ lines: [Line], in head: [UInt8]) {
        self.head = head
        self.lines = lines
    }

    /// The value of a field. Several lines of one name are joined with commas (RFC 9110 section 5.2).
    /// - Parameter name: in lower case.
    /// - Returns: nil without the field.
    package subscript(_ name: String) -> String? {
        var value: String?
        for line in lines where head[line.name].isFieldName(name) {
            let more = String(decoding: head[line.value], as: UTF8.self)
            value = value.map { "\($0), \(more)" } ?? more
        }
        return value
    }

    /// The values of all lines with this name.
    /// - Parameter name: in lower case.
    package func values(of name: String) -> [String] {
        lines.filter { head[$0.name].isFieldName(name) }.map { String(decoding: head[$0.value], as: UTF8.self) }
    }
}

extension ArraySlice<UInt8> {
    /// Whether these bytes are a field's name. Only ASCII letters lose their case: in Unicode, the lower case of the Kelvin
    /// sign is k.
    /// - Parameter name: in lower case.
    func isFieldName(_ name: String) -> Bool {
        let name = name.utf8
        guard count == name.count else { return false }
        var index = startIndex
        for byte in name {
            let ours = self[index]
            guard byte == ((0x41...0x5a).contains(ours) ? ours | 0x20 : ours) else { return false }
            index += 1
        }
        return true
    }
}
