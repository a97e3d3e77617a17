import COpenSSL

/// SHA-256 (FIPS 180-4).
package enum SHA256 {
    /// The 32 bytes of the digest.
    ///
    /// - Throws: `OpenSSLError` if the library has no SHA-256 or no memory.
    package static func digest(_ bytes: [UInt8]) throws(OpenSSLError) -> [UInt8] {
        try Digest.compute("SHA256", of: bytes)
    }
}

enum Digest {
    /// The digest with this name in OpenSSL (EVP_MD_fetch(3)).
    static func compute(_ name: String, of bytes: [UInt8]) throws(OpenSSLError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count = 0
        ErrorQueue.clear()
        guard EVP_Q_digest(nil, name, nil, bytes, bytes.count, &digest, &count) == 1 else {
            throw ErrorQueue.failure(of: "EVP_Q_digest")
        }
        return Array(digest.prefix(count))
    }
}
