/// A JSON value (RFC 8259) that keeps the order of an object's members.
///
/// The contract fixes the order of keys, so objects are lists of members and not dictionaries.
/// Anyone may build, parse, compare and encode values.
package enum JSONValue: Sendable {
    case null
    case bool(Bool)
    /// A number without fraction and exponent that fits into 64 bits.
    case integer(Int64)
    /// Any other number, as its literal. The caller makes sure that it follows the grammar (RFC 8259, section 6).
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// One name and value of an object.
    package struct Member: Sendable, Equatable {
        package let name: String
        package let value: JSONValue

        package init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }

        package static func == (left: Member, right: Member) -> Bool {
            left.name.utf8.elementsEqual(right.name.utf8) && left.value == right.value
        }
    }

    /// The value of an object's first member of that name, compared byte by byte; nil where there is none
    /// or where this is not an object.
    package subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
    }

    /// The string, or `null` for nil.
    package static func optional(_ string: String?) -> JSONValue {
        string.map(JSONValue.string) ?? .null
    }

    /// The integer, or `null` for nil.
    package static func optional(_ integer: Int64?) -> JSONValue {
        integer.map(JSONValue.integer) ?? .null
    }

    /// The truth value, or `null` for nil.
    package static func optional(_ flag: Bool?) -> JSONValue {
        flag.map(JSONValue.bool) ?? .null
    }
}

// Written out because String's own == follows canonical equivalence: it takes the Kelvin sign for "K".
// Values that decide about access must be equal byte by byte (RFC 8259, section 8.3).
extension JSONValue: Equatable {
    /// Equal kind and content; strings byte by byte, numbers by their literals, members in their order.
    package static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.number(let left), .number(let right)): left.utf8.elementsEqual(right.utf8)
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }
}
