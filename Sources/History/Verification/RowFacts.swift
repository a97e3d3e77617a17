import AuditLog
import Encoding
import JSON
import SQLite

/// The facts of a row as an entry writes them, but with long strings whole. They stand one behind the other in one piece of
/// memory, because a verification compares millions of them, and separate strings would cost more than all the rest.
struct RowFacts: Sendable {
    // Behind each fact a line feed, which JSON in this form never has within. A value that this program never writes is a zero
    // byte and its hash.
    private var bytes: [UInt8] = []

    private static let end = UInt8(ascii: "\n")
    private static let quote = UInt8(ascii: "\"")

    /// - Parameter row: of the table's selection.
    init(_ row: Row, of table: RunTable) {
        // Enough for most rows, so that the array does not grow while a row is read.
        bytes.reserveCapacity(400)
        for column in table.columns.indices {
            if !append(text: column, of: row) {
                if let fact = table.fact(column, of: row) { fact.append(to: &bytes) } else { append(foreign: row.typed(column)) }
            }
            bytes.append(Self.end)
        }
    }

    private mutating func append(text column: Int, of row: Row) -> Bool {
        let start = bytes.count
        bytes.append(Self.quote)
        guard row.append(column, to: &bytes) else {
            bytes.removeLast()
            return false
        }
        if Self.isPlain(bytes, from: start + 1) {
            bytes.append(Self.quote)
        } else {
            let text = String(validating: bytes[(start + 1)...], as: UTF8.self)
            bytes.removeSubrange(start...)
            // A repaired text would be equal to one that really has U+FFFD.
            if let text { JSONValue.string(text).append(to: &bytes) } else { append(foreign: row.typed(column)) }
        }
        return true
    }

    private mutating func append(foreign value: [UInt8]) {
        bytes.append(0)
        bytes += Hex.text(Hash.leaf(value).bytes).utf8
    }

    /// Whether the text stands in JSON as it is. Always looks at all of it, because a loop that may stop early is slower.
    private static func isPlain(_ bytes: [UInt8], from start: Int) -> Bool {
        var special: UInt8 = 0
        for byte in bytes[start...] {
            special |= (byte < 0x20 ? 1 : 0) | (byte == quote ? 1 : 0) | (byte == UInt8(ascii: "\\") ? 1 : 0)
        }
        return special == 0
    }

    /// Hands every fact to `body`, in the order of the columns. One that begins with a zero byte is a value that this program never
    /// writes.
    func forEach(_ body: (_ column: Int, _ fact: Span<UInt8>) -> Void) {
        var (column, start) = (0, 0)
        while start < bytes.count {
            let end = endOfFact(from: start)
            body(column, bytes.span.extracting(start..<end))
            (column, start) = (column + 1, end + 1)
        }
    }

    private func endOfFact(from start: Int) -> Int {
        let bytes = bytes.span
        var place = start
        while place < bytes.count, bytes[place] != Self.end { place += 1 }
        return place
    }
}
