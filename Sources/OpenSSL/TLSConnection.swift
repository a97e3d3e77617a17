import COpenSSL

/// TLS of one connection, over memory BIOs. It is the only owner of an `SSL`. The caller moves the bytes; it knows no socket.
///
/// Not Sendable: use it on one thread or event loop at a time. After any call, OpenSSL may have bytes to send, also alerts. They
/// are in `pendingCiphertext` and must be taken.
package final class TLSConnection {
    package enum Handshake: Sendable, Equatable {
        case complete
        /// More ciphertext is needed.
        case wantsInput
    }

    /// What stopped a read.
    package enum ReadEnd: Sendable, Equatable {
        /// The buffer is full; there may be more.
        case full
        /// More ciphertext is needed.
        case wantsInput
        /// The peer sent close_notify. No more data comes.
        case closed
        /// The peer broke the protocol, or a record was forged. The connection cannot be used any more.
        case failed(OpenSSLError)
    }

    /// The memory that a BIO may keep for an idle connection. A BIO never shrinks, so a larger one is replaced when it is
    /// empty.
    private static let keptCapacity = 4096

    private let ssl: OpaquePointer
    /// Owned by `ssl`.
    private var input: OpaquePointer
    private var inputHasGrown = false
    private var output: OpaquePointer

    /// The server's end of a new connection.
    ///
    /// - Throws: `OpenSSLError` if there is no memory.
    package convenience init(_ context: TLSContext) throws(OpenSSLError) {
        ErrorQueue.clear()
        guard let ssl = SSL_new(context.pointer) else { throw ErrorQueue.failure(of: "SSL_new") }
        SSL_set_accept_state(ssl)
        try self.init(owning: ssl)
    }

    /// Takes ownership of an `SSL` that is set up as client or server.
    init(owning ssl: OpaquePointer) throws(OpenSSLError) {
        ErrorQueue.clear()
        guard let input = BIO_new(BIO_s_mem()), let output = BIO_new(BIO_s_mem()) else {
            // This may leak one BIO, which does not matter when memory has run out.
            SSL_free(ssl)
            throw ErrorQueue.failure(of: "BIO_new")
        }
        self.ssl = ssl
        self.input = input
        self.output = output
        SSL_set_bio(ssl, input, output)
    }

    deinit { SSL_free(ssl) }

    /// Takes in ciphertext from the peer. `handshake` or `read` processes it.
    package func receive(_ ciphertext: UnsafeRawBufferPointer) throws(OpenSSLError) {
        guard !ciphertext.isEmpty else { return }
        ErrorQueue.clear()
        guard let count = Int32(exactly: ciphertext.count), BIO_write(input, ciphertext.baseAddress, count) == count else {
            throw ErrorQueue.failure(of: "BIO_write")
        }
        inputHasGrown = inputHasGrown || BIO_ctrl_pending(input) > Self.keptCapacity
    }

    /// How many bytes are to be sent to the peer.
    package var pendingCiphertext: Int { BIO_ctrl_pending(output) }

    /// Takes bytes that are to be sent to the peer, as many as fit.
    ///
    /// - Returns: the number of bytes.
    package func takeCiphertext(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let hasGrown = pendingCiphertext > Self.keptCapacity
        let count = Int32(clamping: min(buffer.count, pendingCiphertext))
        guard count > 0 else { return 0 }
        let taken = Int(max(0, BIO_read(output, buffer.baseAddress, count)))
        if hasGrown, pendingCiphertext == 0, let fresh = BIO_new(BIO_s_mem()) {
            output = fresh
            SSL_set0_wbio(ssl, fresh)
        }
        return taken
    }

    /// Continues the handshake as far as the received bytes allow.
    package func handshake() throws(OpenSSLError) -> Handshake {
        while true {
            let before = BIO_ctrl_pending(input)
            ErrorQueue.clear()
            let result = SSL_do_handshake(ssl)
            if result == 1 {
                releaseInput()
                return .complete
            }
            guard SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ else { throw ErrorQueue.failure(of: "SSL_do_handshake") }
            if !hasProgress(since: before) { return .wantsInput }
        }
    }

    /// Decrypts into `buffer`.
    ///
    /// - Returns: the number of bytes at its front, and why there are no more. Data may come together with an end.
    package func read(into buffer: UnsafeMutableRawBufferPointer) -> (count: Int, end: ReadEnd) {
        var filled = 0
        while filled < buffer.count {
            let before = BIO_ctrl_pending(input)
            var count = 0
            ErrorQueue.clear()
            let result = SSL_read_ex(ssl, buffer.baseAddress.map { $0 + filled }, buffer.count - filled, &count)
            if result == 1 {
                filled += count
                continue
            }
            switch SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ:
                if hasProgress(since: before) { continue }
                releaseInput()
                return (filled, .wantsInput)
            case SSL_ERROR_ZERO_RETURN: return (filled, .closed)
            default: return (filled, .failed(ErrorQueue.failure(of: "SSL_read_ex")))
            }
        }
        return (filled, .full)
    }

    /// Encrypts all of `plaintext`, with 16 KiB per record. Call it only after the handshake and before `shutdown`.
    package func write(_ plaintext: UnsafeRawBufferPointer) throws(OpenSSLError) {
        // SSL_write_ex fails for zero bytes.
        guard !plaintext.isEmpty else { return }
        var count = 0
        ErrorQueue.clear()
        guard SSL_write_ex(ssl, plaintext.baseAddress, plaintext.count, &count) == 1, count == plaintext.count else {
            throw ErrorQueue.failure(of: "SSL_write_ex")
        }
    }

    /// Sends close_notify. Nothing may be written afterwards; reading continues. Call it once, only after the handshake.
    package func shutdown() throws(OpenSSLError) {
        ErrorQueue.clear()
        guard SSL_shutdown(ssl) >= 0 else { throw ErrorQueue.failure(of: "SSL_shutdown") }
    }

    /// The version in use, such as `TLSv1.3`. It is set after the handshake.
    package var version: String { SSL_get_version(ssl).map { String(cString: $0) } ?? "" }

    /// OpenSSL's name of the cipher in use. It is set after the handshake.
    package var cipher: String { SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? "" }

    /// Whether to call again although OpenSSL asked for input. It makes sense only while each call uses some of the bytes that
    /// are there; otherwise the loop would never end.
    private func hasProgress(since before: Int) -> Bool {
        let now = BIO_ctrl_pending(input)
        return now > 0 && now < before
    }

    private func releaseInput() {
        guard inputHasGrown, BIO_ctrl_pending(input) == 0, let fresh = BIO_new(BIO_s_mem()) else { return }
        inputHasGrown = false
        input = fresh
        SSL_set0_rbio(ssl, fresh)
    }
}
