import COpenSSL

/// Message authentication with a shared key (RFC 2104).
package enum HMAC {
    /// The hash function.
    package enum Hash: Sendable, CaseIterable {
        case sha256, sha384, sha512

        /// The length of the authentication code.
        package var byteCount: Int {
            switch self {
            case .sha256: 32
            case .sha384: 48
            case .sha512: 64
            }
        }

        fileprivate var name: String {
            switch self {
            case .sha256: "SHA256"
            case .sha384: "SHA384"
            case .sha512: "SHA512"
            }
        }
    }

    /// The authentication code, `hash.byteCount` bytes. Compare it with `ConstantTime.equal` only.
    ///
    /// - Throws: `OpenSSLError` if the library refuses the key or the hash, as a FIPS provider may.
    package static func authenticate(
        _ message: [UInt8], key: [UInt8], hash: Hash
    ) throws(OpenSSLError) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: hash.byteCount)
        var count = 0
        ErrorQueue.clear()
        let result = EVP_Q_mac(
            nil, "HMAC", nil, hash.name, nil, key, key.count, message, message.count, &code, code.count, &count)
        guard result != nil, count == code.count else { throw ErrorQueue.failure(of: "EVP_Q_mac") }
        return code
    }
}
