import COpenSSL

/// The owner of one `EVP_PKEY`, a private key.
final class PrivateKey {
    let pointer: OpaquePointer

    private init(owning pointer: OpaquePointer) { self.pointer = pointer }
    deinit { EVP_PKEY_free(pointer) }

    /// The first private key of a PEM text.
    convenience init(_ file: PEMFile) throws(TLSIdentityError) {
        guard let text = MemoryText(file.bytes) else { throw .noPrivateKey(file: file.name) }
        var asked = false
        ErrorQueue.clear()
        let pointer = PEM_read_bio_PrivateKey(text.bio, nil, refusePassphrase, &asked)
        ErrorQueue.clear()
        guard let pointer else { throw asked ? .encryptedKey(file: file.name) : .noPrivateKey(file: file.name) }
        self.init(owning: pointer)
        // An empty passphrase may open it, but it is still an encrypted key.
        if asked { throw .encryptedKey(file: file.name) }
    }
}
