/// The version of messages, result files and spool files. Both sides refuse any other.
package let protocolVersion = "1"

/// The bytes are not a message of this protocol.
package enum MessageError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The other side speaks another version.
    case version(String)
    /// Not a message, or a field is missing or malformed.
    case malformed(String)
    /// A message of a kind that is not expected here.
    case unexpected(kind: String)

    package var description: String {
        switch self {
        case .version(let other):
            "speaks run protocol \(other), this program speaks \(protocolVersion); install sync-service and sync-runner from one release"
        case .malformed(let what): "not a message of the run protocol: \(what)"
        case .unexpected(let kind): "unexpected message \"\(kind)\""
        }
    }
}

/// A kind and named byte strings. Service and runner exchange messages, and results are stored as messages.
///
/// The encoding is a sequence of fields: the name's length (1 byte), the name, the value's length (4 bytes, big endian), the
/// value. The first field is `version`, the second is `kind`. That never changes, so that programs of different versions can
/// name their versions to each other.
package struct Message: Sendable, Equatable {
    package struct Field: Sendable, Equatable {
        package let name: String
        package let value: [UInt8]
    }

    /// The longest encoding that is accepted. It fits ``LogTail/maximumBytes`` with room to spare.
    package static let maximumBytes = 2 << 20
    static let maximumFields = 1024

    package let kind: String
    package private(set) var fields: [Field] = []

    package init(_ kind: String) { self.kind = kind }

    /// Adds a field. Names may repeat. A name is at most 255 bytes long.
    package mutating func add(_ name: String, _ value: [UInt8]) { fields.append(Field(name: name, value: value)) }
    package mutating func add(_ name: String, _ value: String) { add(name, Array(value.utf8)) }
    package mutating func add(_ name: String, _ value: Int64) { add(name, String(value)) }
    package mutating func add(_ name: String, _ value: Bool) { add(name, value ? "true" : "false") }

    /// The first value under a name.
    package func bytes(_ name: String) -> [UInt8]? { fields.first { $0.name == name }?.value }
    package func text(_ name: String) -> String? { bytes(name).flatMap { String(validating: $0, as: UTF8.self) } }
    package func integer(_ name: String) -> Int64? { text(name).flatMap(Int64.init) }
    /// All texts under a name, in their order.
    package func texts(_ name: String) -> [String] {
        fields.filter { $0.name == name }.compactMap { String(validating: $0.value, as: UTF8.self) }
    }

    /// - Throws: ``MessageError/malformed(_:)`` if the field is missing or not of that type.
    package func requiredText(_ name: String) throws(MessageError) -> String {
        guard let text = text(name) else { throw .malformed("no \(name)") }
        return text
    }
    package func requiredInteger(_ name: String) throws(MessageError) -> Int64 {
        guard let integer = integer(name) else { throw .malformed("no \(name)") }
        return integer
    }
    package func requiredFlag(_ name: String) throws(MessageError) -> Bool {
        switch text(name) {
        case "true": return true
        case "false": return false
        default: throw .malformed("no \(name)")
        }
    }

    /// The encoding, as described at ``Message``.
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        let head = [
            Field(name: "version", value: Array(protocolVersion.utf8)), Field(name: "kind", value: Array(kind.utf8)),
        ]
        for field in head + fields {
            bytes.append(UInt8(truncatingIfNeeded: field.name.utf8.count))
            bytes += field.name.utf8
            bytes += bigEndian(UInt32(truncatingIfNeeded: field.value.count))
            bytes += field.value
        }
        return bytes
    }

    /// Decodes a message. Nothing in `bytes` is trusted.
    package init(decoding bytes: [UInt8]) throws(MessageError) {
        var rest = bytes[...]
        var all: [Field] = []
        while !rest.isEmpty {
            guard all.count < Self.maximumFields else { throw .malformed("too many fields") }
            all.append(try Self.takeField(&rest))
        }
        guard let version = all.first, version.name == "version" else { throw .malformed("no version") }
        guard version.value.elementsEqual(protocolVersion.utf8) else {
            throw .version(Self.printable(version.value))
        }
        guard all.count >= 2, all[1].name == "kind" else { throw .malformed("no kind") }
        kind = Self.printable(all[1].value)
        fields = Array(all[2...])
    }

    private static func takeField(_ rest: inout ArraySlice<UInt8>) throws(MessageError) -> Field {
        guard let nameLength = rest.popFirst(), rest.count >= Int(nameLength) + 4 else { throw .malformed("cut short") }
        let name = String(decoding: rest.prefix(Int(nameLength)), as: UTF8.self)
        rest = rest.dropFirst(Int(nameLength))
        let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        rest = rest.dropFirst(4)
        guard length <= rest.count else { throw .malformed("cut short") }
        let value = Array(rest.prefix(length))
        rest = rest.dropFirst(length)
        return Field(name: name, value: value)
    }

    /// At most 32 printable ASCII characters, safe in a log line.
    private static func printable(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.prefix(32).map { (0x21...0x7e).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}

func bigEndian(_ number: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
}
