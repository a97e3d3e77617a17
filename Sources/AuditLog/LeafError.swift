/// Why bytes are no entry, or fields cannot become one. Holds none of the content, so it may be logged.
package enum LeafError: Error, Sendable, Equatable, CustomStringConvertible {
    /// These bytes are not in the form `Leaf` writes, from that offset on.
    case malformed(offset: Int)
    /// The key is missing or its value has another form.
    case key(String)
    /// More bytes than an entry may have.
    case tooLarge(Int)
    /// Key names are 1 to 64 visible ASCII characters besides `"` and `\`, each once in its object.
    case keyName
    /// A number that is not an integer of 64 bits.
    case number

    package var description: String {
        switch self {
        case .malformed(let offset): "not an entry as the service writes it, from byte \(offset) on"
        case .key(let name): "the entry's \(name) is missing or has another form"
        case .tooLarge(let count): "an entry of \(count) bytes; at most \(Leaf.maximumBytes) are allowed"
        case .keyName: "an entry's key has a name that is not allowed, or is there twice"
        case .number: "an entry holds integers of 64 bits only"
        }
    }
}
