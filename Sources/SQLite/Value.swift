/// A value that SQLite can store, or bind to a `?`. https://www.sqlite.org/datatype3.html
package enum Value: Sendable, Equatable {
    case null
    case integer(Int64)
    /// SQLite has no NaN. It becomes NULL.
    case real(Double)
    /// UTF-8; NUL characters are kept.
    case text(String)
    /// An empty blob stays an empty blob.
    case blob([UInt8])

    /// NULL for nil.
    package static func optional(_ text: String?) -> Value {
        text.map(Value.text) ?? .null
    }

    /// NULL for nil.
    package static func optional(_ number: Int64?) -> Value {
        number.map(Value.integer) ?? .null
    }
}

extension Value: ExpressibleByNilLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByStringLiteral
{
    package init(nilLiteral: ()) { self = .null }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .real(value) }
    package init(stringLiteral value: String) { self = .text(value) }
}
