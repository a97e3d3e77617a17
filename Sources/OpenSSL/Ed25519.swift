import COpenSSL

/// Ed25519 signatures (RFC 8032).
package enum Ed25519 {
    /// The length of a public key.
    package static let publicKeyByteCount = 32
    /// The length of a signature.
    package static let signatureByteCount = 64

    /// Whether `signature` is the key's signature of `message`. False for a key or signature of another length, and for a key
    /// that is no point of the curve.
    ///
    /// - Throws: `OpenSSLError` if the library has no Ed25519 or no memory.
    package static func isValid(
        _ signature: [UInt8], of message: [UInt8], publicKey: [UInt8]
    ) throws(OpenSSLError) -> Bool {
        guard publicKey.count == publicKeyByteCount, signature.count == signatureByteCount else { return false }
        ErrorQueue.clear()
        guard let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, publicKey, publicKey.count) else {
            throw ErrorQueue.failure(of: "EVP_PKEY_new_raw_public_key")
        }
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { throw ErrorQueue.failure(of: "EVP_MD_CTX_new") }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1 else {
            throw ErrorQueue.failure(of: "EVP_DigestVerifyInit")
        }
        let result = EVP_DigestVerify(context, signature, signature.count, message, message.count)
        // Any result but 1 means that nothing was verified, also for a key that is no point of the curve.
        ErrorQueue.clear()
        return result == 1
    }

    /// A private key. It stays in OpenSSL's memory, which OpenSSL overwrites on release.
    package final class PrivateKey: @unchecked Sendable {  // the EVP_PKEY is never changed after init
        private let key: OpaquePointer
        /// The 32 bytes of the public key.
        package let publicKey: [UInt8]

        /// Takes over the key. Frees it if it is of another kind.
        private init(owning key: OpaquePointer) throws(OpenSSLError) {
            var bytes = [UInt8](repeating: 0, count: publicKeyByteCount)
            var count = bytes.count
            guard EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 else {
                EVP_PKEY_free(key)
                throw OpenSSLError(operation: "EVP_PKEY_get_base_id", reasons: ["the key is not an Ed25519 key"])
            }
            guard EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1, count == bytes.count else {
                let error = ErrorQueue.failure(of: "EVP_PKEY_get_raw_public_key")
                EVP_PKEY_free(key)
                throw error
            }
            self.key = key
            publicKey = bytes
        }

        deinit { EVP_PKEY_free(key) }

        /// A new key.
        ///
        /// - Throws: `OpenSSLError` if the random generator cannot be seeded or there is no memory.
        package static func generate() throws(OpenSSLError) -> PrivateKey {
            ErrorQueue.clear()
            guard let context = EVP_PKEY_CTX_new_from_name(nil, "ED25519", nil) else {
                throw ErrorQueue.failure(of: "EVP_PKEY_CTX_new_from_name")
            }
            defer { EVP_PKEY_CTX_free(context) }
            var key: OpaquePointer?
            guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_generate(context, &key) == 1, let key else {
                throw ErrorQueue.failure(of: "EVP_PKEY_generate")
            }
            return try PrivateKey(owning: key)
        }

        /// A key from a file's contents: PEM, PKCS#8, not encrypted (RFC 5958, RFC 8410).
        ///
        /// This form, not the bare 32 bytes, because it names the kind of key and `openssl pkey` reads it.
        ///
        /// - Throws: `OpenSSLError` if it is encrypted, damaged or a key of another kind.
        package convenience init(pem: [UInt8]) throws(OpenSSLError) {
            guard let count = CInt(exactly: pem.count) else {
                throw OpenSSLError(operation: "BIO_new_mem_buf", reasons: ["the file is too large"])
            }
            ErrorQueue.clear()
            // The BIO reads the array's memory, so it must not outlive the closure.
            let key = pem.withUnsafeBytes { bytes -> OpaquePointer? in
                guard let source = BIO_new_mem_buf(bytes.baseAddress, count) else { return nil }
                defer { BIO_free(source) }
                // Without a callback OpenSSL would ask the terminal for an encrypted key's passphrase.
                return PEM_read_bio_PrivateKey(source, nil, { _, _, _, _ in -1 }, nil)
            }
            guard let key else { throw ErrorQueue.failure(of: "PEM_read_bio_PrivateKey") }
            try self.init(owning: key)
        }

        /// The content of a file that `init(pem:)` reads. It is a secret.
        ///
        /// - Throws: `OpenSSLError` if there is no memory.
        package func pem() throws(OpenSSLError) -> [UInt8] {
            ErrorQueue.clear()
            guard let sink = BIO_new(BIO_s_mem()) else { throw ErrorQueue.failure(of: "BIO_new") }
            defer { BIO_free(sink) }
            guard PEM_write_bio_PKCS8PrivateKey(sink, key, nil, nil, 0, nil, nil) == 1 else {
                throw ErrorQueue.failure(of: "PEM_write_bio_PKCS8PrivateKey")
            }
            // An Ed25519 key in PKCS#8 has 119 characters.
            var text = [UInt8](repeating: 0, count: 1024)
            let count = BIO_read(sink, &text, CInt(text.count))
            guard count > 0, count < text.count else { throw ErrorQueue.failure(of: "BIO_read") }
            return Array(text.prefix(Int(count)))
        }

        /// The 64 bytes of the signature.
        ///
        /// - Throws: `OpenSSLError` if there is no memory.
        package func sign(_ message: [UInt8]) throws(OpenSSLError) -> [UInt8] {
            ErrorQueue.clear()
            guard let context = EVP_MD_CTX_new() else { throw ErrorQueue.failure(of: "EVP_MD_CTX_new") }
            defer { EVP_MD_CTX_free(context) }
            guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1 else {
                throw ErrorQueue.failure(of: "EVP_DigestSignInit")
            }
            var signature = [UInt8](repeating: 0, count: signatureByteCount)
            var count = signature.count
            guard EVP_DigestSign(context, &signature, &count, message, message.count) == 1, count == signature.count
            else { throw ErrorQueue.failure(of: "EVP_DigestSign") }
            return signature
        }
    }
}
