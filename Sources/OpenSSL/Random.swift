import COpenSSL

/// Random bytes fit for secrets (RAND_bytes(3)).
package enum Random {
    /// So many random bytes.
    ///
    /// - Throws: `OpenSSLError` if the generator cannot be seeded, or the count is negative or above 2³¹ − 1.
    package static func bytes(_ count: Int) throws(OpenSSLError) -> [UInt8] {
        guard count >= 0, let length = CInt(exactly: count) else {
            throw OpenSSLError(operation: "RAND_bytes", reasons: ["cannot give \(count) bytes"])
        }
        var bytes = [UInt8](repeating: 0, count: count)
        ErrorQueue.clear()
        guard RAND_bytes(&bytes, length) == 1 else { throw ErrorQueue.failure(of: "RAND_bytes") }
        return bytes
    }
}
