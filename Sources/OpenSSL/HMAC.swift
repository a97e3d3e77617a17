import COpenSSL
import Synchronization

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

    /// The authentication code, `hash.byteCount` bytes, of one message. For more messages with one key, make a ``Key``.
    /// - Throws: as ``Key/init(_:hash:)`` and ``Key/authenticate(_:)``.
    package static func authenticate(_ message: [UInt8], key: [UInt8], hash: Hash) throws(OpenSSLError) -> [UInt8] {
        try Key(key, hash: hash).authenticate(message)
    }

    /// A key that is prepared once. Preparing it takes longer than authenticating a token.
    package final class Key: Sendable {
        private let context: Mutex<Context>
        private let hash: Hash

        /// - Throws: `OpenSSLError` if the library refuses the key or the hash, as a FIPS provider may.
        package init(_ key: [UInt8], hash: Hash) throws(OpenSSLError) {
            self.hash = hash
            context = Mutex(try Context(key, hash))
        }

        /// The authentication code, `hash.byteCount` bytes. Compare it with `ConstantTime.equal` only.
        /// - Throws: `OpenSSLError` if the library has no memory.
        package func authenticate(_ message: [UInt8]) throws(OpenSSLError) -> [UInt8] {
            try context.withLock { context throws(OpenSSLError) in try context.authenticate(message, count: hash.byteCount) }
        }
    }

    /// Owns an `EVP_MAC_CTX` with its key (EVP_MAC(3)).
    private struct Context: ~Copyable, @unchecked Sendable {  // The pointer moves between threads with its one owner.
        private let pointer: OpaquePointer

        init(_ key: [UInt8], _ hash: Hash) throws(OpenSSLError) { pointer = try Self.keyed(key, hash) }

        private static func keyed(_ key: [UInt8], _ hash: Hash) throws(OpenSSLError) -> OpaquePointer {
            ErrorQueue.clear()
            let mac = EVP_MAC_fetch(nil, "HMAC", nil)
            defer { EVP_MAC_free(mac) }
            guard let pointer = EVP_MAC_CTX_new(mac) else { throw ErrorQueue.failure(of: "EVP_MAC_CTX_new") }
            var name = Array(hash.name.utf8CString)
            let isKeyed = name.withUnsafeMutableBufferPointer { name in
                let parameters = [OSSL_PARAM_construct_utf8_string("digest", name.baseAddress, 0), OSSL_PARAM_construct_end()]
                return EVP_MAC_init(pointer, key, key.count, parameters) == 1
            }
            guard isKeyed else {
                let failure = ErrorQueue.failure(of: "EVP_MAC_init")
                EVP_MAC_CTX_free(pointer)
                throw failure
            }
            return pointer
        }

        deinit { EVP_MAC_CTX_free(pointer) }

        func authenticate(_ message: [UInt8], count: Int) throws(OpenSSLError) -> [UInt8] {
            var code = [UInt8](repeating: 0, count: count)
            var written = 0
            ErrorQueue.clear()
            // Without a key, the present one is used again.
            guard EVP_MAC_init(pointer, nil, 0, nil) == 1, EVP_MAC_update(pointer, message, message.count) == 1,
                EVP_MAC_final(pointer, &code, &written, code.count) == 1, written == count
            else { throw ErrorQueue.failure(of: "EVP_MAC_final") }
            return code
        }
    }
}
