import COpenSSL

/// SHA-256 (FIPS 180-4) for hash trees. It is fast for millions of short texts and cannot fail (see COpenSSL/merkle.h).
extension SHA256 {
    /// The digest of these bytes.
    package static func hash(_ bytes: [UInt8]) -> SIMD32<UInt8> {
        bytes.withUnsafeBytes { hash($0, nothing, nothing) }
    }

    /// The digest of these bytes, in any memory.
    package static func hash(_ bytes: RawSpan) -> SIMD32<UInt8> {
        bytes.withUnsafeBytes { hash($0, nothing, nothing) }
    }

    /// The digest of one byte followed by these bytes.
    package static func hash(_ prefix: UInt8, _ bytes: [UInt8]) -> SIMD32<UInt8> {
        withUnsafeBytes(of: prefix) { prefix in
            bytes.withUnsafeBytes { hash(prefix, $0, nothing) }
        }
    }

    /// The digest of one byte followed by these two digests.
    package static func hash(_ prefix: UInt8, _ left: SIMD32<UInt8>, _ right: SIMD32<UInt8>) -> SIMD32<UInt8> {
        withUnsafeBytes(of: prefix) { prefix in
            withUnsafeBytes(of: left) { left in withUnsafeBytes(of: right) { hash(prefix, left, $0) } }
        }
    }

    private static var nothing: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

    private static func hash(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, _ third: UnsafeRawBufferPointer
    ) -> SIMD32<UInt8> {
        var digest = SIMD32<UInt8>()
        withUnsafeMutableBytes(of: &digest) {
            sync_sha256(
                first.baseAddress, first.count, second.baseAddress, second.count, third.baseAddress, third.count,
                $0.baseAddress)
        }
        return digest
    }
}
