import CSHA256
import Glibc
import Linux

/// SHA-256 of a stream, with libcrypto's low-level functions. COpenSSL/sha256.h says why those.
struct Digest {
    private var context = SHA256_CTX()

    init() { SHA256_Init(&context) }

    mutating func update(_ bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { _ = SHA256_Update(&context, $0.baseAddress, $0.count) }
    }

    /// Call it once, as the last call.
    /// - Returns: the digest in hex.
    mutating func finish() -> String {
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        SHA256_Final(&digest, &context)
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// - Returns: the digest of a whole file, in hex.
    static func of(_ file: Descriptor) throws(SystemError) -> String {
        var digest = Digest()
        var offset: Int64 = 0
        while true {
            let piece = try file.read(at: offset, count: 65536)
            if piece.isEmpty { return digest.finish() }
            digest.update(piece[...])
            offset += Int64(piece.count)
        }
    }
}
