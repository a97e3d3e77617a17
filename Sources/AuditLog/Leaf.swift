import JSON
import OpenSSL

/// One entry of the log: the exact bytes that are hashed and stored.
///
/// They are one JSON object in UTF-8 with one way to write it: keys sorted by their bytes, no white space, integers only,
/// no escape that is not needed. `event` names the kind, `at` the time.
package struct Leaf: Sendable, Equatable {
    /// The length of the longest entry.
    package static let maximumBytes = 32 * 1024
    /// A string whose JSON form, between the quotes, is longer is cut; see `cut`.
    package static let maximumStringBytes = 1024

    package let bytes: [UInt8]
    /// The value of `event`. A later version may know kinds that this one does not.
    package let event: String
    package let at: LeafTime
    private let members: [Member]

    /// Where one of the entry's own keys and its value are.
    struct Member: Sendable, Equatable {
        // Two bytes each, because a verification makes many; `maximumBytes` fits.
        let name: Range<UInt16>
        let value: Range<UInt16>

        init(name: Range<Int>, value: Range<Int>) {
            self.name = UInt16(name.lowerBound)..<UInt16(name.upperBound)
            self.value = UInt16(value.lowerBound)..<UInt16(value.upperBound)
        }
    }

    /// A new entry.
    ///
    /// - Parameter fields: everything but `event` and `at`, in any order. Strings too long are cut.
    /// - Throws: `LeafError`. Never `tooLarge` for up to 25 strings of whatever length that are not nested.
    package init(_ event: Event, at: LeafTime, _ fields: [JSONValue.Member]) throws(LeafError) {
        let event = JSONValue.Member("event", .string(event.rawValue))
        let at = JSONValue.Member("at", .string(at.description))
        try self.init(stored: try Self.canonical(.object(fields + [event, at])).encoded())
    }

    /// An entry from stored bytes, which may be hostile.
    ///
    /// - Throws: `LeafError` unless they are exactly in the form described.
    package init(stored bytes: [UInt8]) throws(LeafError) {
        guard bytes.count <= Self.maximumBytes else { throw .tooLarge(bytes.count) }
        var scanner = LeafScanner(bytes)
        try scanner.scan()
        guard let event = scanner.event else { throw .key("event") }
        guard let at = scanner.at.flatMap({ LeafTime(bytes[$0]) }) else { throw .key("at") }
        self.bytes = bytes
        self.event = String(decoding: bytes[event], as: UTF8.self)
        self.at = at
        members = scanner.members
    }

    /// The hash of the entry in the tree.
    package var hash: Hash { Hash.leaf(bytes) }

    /// All keys and values, to be compared or shown. Parses anew on each call.
    package var object: JSONValue {
        // The scanner's form is stricter than the parser's, so this cannot fail.
        (try? JSONValue(parsing: bytes, maxBytes: Self.maximumBytes, maxDepth: LeafScanner.maximumDepth)) ?? .null
    }

    /// The value of one of the entry's own keys as it is written in `bytes`, strings with their quotes; nil without such a
    /// key. There is one way to write a value, so two are equal where these bytes are.
    package func written(_ key: String) -> ArraySlice<UInt8>? { place(of: key).map { bytes[$0] } }

    /// Where the value of one of the entry's own keys is.
    private func place(of key: String) -> Range<Int>? {
        let utf8 = key.utf8
        let (key, bytes) = (utf8.span, bytes.span)
        // By length first: a verification asks for a dozen keys of every entry.
        for member in members where member.name.count == key.count {
            guard Self.isSame(bytes.extracting(Int(member.name.lowerBound)..<Int(member.name.upperBound)), key) else { continue }
            return Int(member.value.lowerBound)..<Int(member.value.upperBound)
        }
        return nil
    }

    /// The value of one of the entry's own keys; nil without such a key, or where it is no integer.
    package func integer(_ key: String) -> Int64? {
        written(key).flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
    }

    /// Whether this is the value of one of the entry's own keys, as an entry holds it, with long strings cut. False without
    /// such a key.
    ///
    /// - Parameter value: as `JSON.encoded` gives it.
    package func holds(_ key: String, _ value: Span<UInt8>) -> Bool {
        guard let place = place(of: key) else { return false }
        // Neither is cut, or they differ: a cut string is always longer, and so is the one it was cut from.
        if place.count <= Self.maximumStringBytes + 2 { return Self.isSame(bytes.span.extracting(place), value) }
        let whole = value.withUnsafeBufferPointer { try? JSONValue(parsing: Array($0), maxBytes: .max, maxDepth: 1) }
        guard let whole, let cut = try? Self.canonical(whole) else { return false }
        return cut.encoded().elementsEqual(bytes[place])
    }

    /// Eight bytes at a time: a verification compares some hundred of every entry.
    private static func isSame(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        return left.withUnsafeBytes { left in
            right.withUnsafeBytes { right in
                var place = 0
                while place + 8 <= left.count {
                    guard
                        left.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                            == right.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                    else { return false }
                    place += 8
                }
                while place < left.count {
                    guard left[place] == right[place] else { return false }
                    place += 1
                }
                return true
            }
        }
    }

    /// A string as an entry holds it: as it is, or, where its JSON form is longer than `maximumStringBytes`, cut at the
    /// last whole character before that, with `…[<bytes> bytes, sha256 <hex>]` behind it: length and digest of the whole
    /// string in UTF-8.
    ///
    /// So a user name of 64 KiB makes one bounded entry, and two of them still differ. A cut string
    /// is always longer than `maximumStringBytes`, one that is not cut never, so neither can pass for the other.
    package static func cut(_ string: String) -> String {
        var size = 0
        var end = string.unicodeScalars.startIndex
        for index in string.unicodeScalars.indices {
            size += jsonByteCount(string.unicodeScalars[index])
            if size <= maximumStringBytes {
                end = string.unicodeScalars.index(after: index)
            } else {
                let (start, bytes) = (String(string.unicodeScalars[..<end]), Array(string.utf8))
                return "\(start)…[\(bytes.count) bytes, sha256 \(hex(SHA256.hash(bytes)))]"
            }
        }
        return string
    }

    private static func jsonByteCount(_ scalar: Unicode.Scalar) -> Int {
        switch scalar {
        case "\"", "\\", "\u{8}", "\t", "\n", "\u{C}", "\r": 2
        case "\0"..<" ": 6
        default: UTF8.width(scalar)
        }
    }

    private static func hex(_ digest: SIMD32<UInt8>) -> String {
        digest.indices.map { (digest[$0] < 0x10 ? "0" : "") + String(digest[$0], radix: 16) }.joined()
    }

    private static func canonical(_ value: JSONValue) throws(LeafError) -> JSONValue {
        switch value {
        case .null, .bool, .integer: return value
        case .number: throw .number
        case .string(let string): return .string(cut(string))
        case .array(let elements):
            var result: [JSONValue] = []
            for element in elements { result.append(try canonical(element)) }
            return .array(result)
        case .object(let members):
            guard members.allSatisfy({ isKeyName($0.name) }) else { throw .keyName }
            let sorted = members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
            guard zip(sorted, sorted.dropFirst()).allSatisfy({ $0.name != $1.name }) else { throw .keyName }
            var result: [JSONValue.Member] = []
            for member in sorted { result.append(JSONValue.Member(member.name, try canonical(member.value))) }
            return .object(result)
        }
    }

    private static func isKeyName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count) && name.utf8.allSatisfy(LeafScanner.isKeyByte)
    }
}
