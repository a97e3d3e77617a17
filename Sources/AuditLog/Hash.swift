import Encoding
import OpenSSL

/// A SHA-256 hash of the tree (RFC 6962, section 2.1).
package struct Hash: Hashable, Sendable, CustomStringConvertible {
    /// The length of a hash.
    package static let byteCount = 32

    private let value: SIMD32<UInt8>

    private init(_ value: SIMD32<UInt8>) { self.value = value }

    /// - Returns: nil unless there are exactly 32 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        let contiguous = bytes.withContiguousStorageIfAvailable {
            UnsafeRawBufferPointer($0).loadUnaligned(as: SIMD32<UInt8>.self)
        }
        value = contiguous ?? SIMD32(bytes)
    }

    /// - Returns: nil unless there are exactly 32 bytes.
    package init?(_ bytes: RawSpan) {
        guard bytes.byteCount == Self.byteCount else { return nil }
        value = bytes.withUnsafeBytes { $0.loadUnaligned(as: SIMD32<UInt8>.self) }
    }

    /// Reads the text form of notes and proofs.
    /// - Returns: nil unless it is the strict base64 of 32 bytes.
    init?(base64 text: some Collection<UInt8>) {
        guard let bytes = Base64.standard.decode(text) else { return nil }
        self.init(bytes)
    }

    /// The 32 bytes.
    package var bytes: [UInt8] { (0..<Self.byteCount).map { value[$0] } }

    /// Base64, as in notes and proofs.
    package var description: String { Base64.standard.encode(bytes) }

    /// The hash of an entry: of a zero byte and the entry's bytes.
    package static func leaf(_ bytes: [UInt8]) -> Hash { Hash(SHA256.hash(0, bytes)) }

    /// The hash of an inner node: of a one byte and both children.
    package static func node(_ left: Hash, _ right: Hash) -> Hash { Hash(SHA256.hash(1, left.value, right.value)) }

    /// The root of a tree without entries: the hash of nothing.
    package static let empty = Hash(SHA256.hash([]))
}
