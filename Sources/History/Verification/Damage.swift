import AuditLog
import Encoding
import SQLite

/// One thing that a verification found wrong.
package struct Damage: Sendable {
    /// What is wrong and where, for a person.
    package let text: String
    /// What `audit resume` records when an administrator accepts this: a digest of the text and of what was found. So the texts must
    /// not change. nil for what cannot be accepted, because something else may be found there the next time.
    let digest: String?

    /// - Parameter found: the hash of what is there instead of what should be. Without it, other content in the same place
    ///   would count as accepted too; nil only where there is nothing, or where the text says all of it.
    init(_ text: String, found: Hash? = nil) {
        self.text = text
        let bytes = Hash.leaf(Array(text.utf8) + [0] + (found?.bytes ?? [])).bytes
        digest = Hex.text(bytes.prefix(16))
    }

    /// Damage that cannot be accepted.
    init(unacceptable text: String) {
        self.text = text
        digest = nil
    }
}

/// Damage in the order in which it was found.
package struct DamageList: Sendable {
    /// The first ones tell where to look; a million more would only fill memory.
    private static let limit = 100

    package private(set) var first: [Damage] = []
    /// All of it.
    package private(set) var count = 0

    init() {}

    /// - Parameter count: of all, where not all are listed; nil: as many as are listed.
    init(_ listed: [Damage], count: Int? = nil) {
        first = listed
        self.count = count ?? listed.count
    }

    mutating func add(_ damage: Damage) {
        count += 1
        if first.count < Self.limit { first.append(damage) }
    }

    mutating func add(_ text: String, found: Hash? = nil) { add(Damage(text, found: found)) }

    static func + (left: DamageList, right: DamageList) -> DamageList {
        var sum = left
        sum.first += right.first
        sum.count += right.count
        return sum
    }
}

extension Row {
    /// The bytes of a column that is for bytes. For any other value a zero byte and its hash, which nothing of ours begins with:
    /// two values in their place are not taken for the same.
    package func bytes(_ column: Int) -> [UInt8] { blob(column) ?? [0] + Hash.leaf(typed(column)).bytes }

    /// The hash of the first columns' values, with their types: two rows have the same one only if they hold the same.
    package func hash(columns: Int) -> Hash {
        var bytes: [UInt8] = []
        for column in 0..<columns {
            let value = typed(column)
            bytes += "\(value.count):".utf8 + value
        }
        return Hash.leaf(bytes)
    }

    /// A value's bytes with its type in front; a text's as they are stored, UTF-8 or not.
    func typed(_ column: Int) -> [UInt8] {
        var text = [UInt8(ascii: "t")]
        if append(column, to: &text) { return text }
        return switch value(column) {
        case .integer(let number): Array("i\(number)".utf8)
        case .real(let number): Array("r\(number.bitPattern)".utf8)
        case .blob(let bytes): [UInt8(ascii: "b")] + bytes
        case .null, .text: [UInt8(ascii: "n")]
        }
    }
}
