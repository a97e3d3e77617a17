import COpenSSL
import Glibc

/// A server's TLS configuration with its certificate. It is the only owner of an `SSL_CTX`.
///
/// It is made once, shared by all connections and never changed. A new certificate needs a new context; open connections keep
/// theirs.
package final class TLSContext: @unchecked Sendable {  // the SSL_CTX is never changed after init; its references are counted atomically
    let pointer: OpaquePointer
    /// The server's own certificate.
    package let certificate: Certificate

    /// ECDHE with AEAD only, so that recorded traffic stays secret if the key is stolen. In the server's order.
    private static let tls12Ciphers = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    ].joined(separator: ":")
    private static let tls13Ciphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    private static let groups = "X25519:P-256:P-384"
    /// Without SHA-1 and SHA-224; PKCS #1 v1.5 is for TLS 1.2 only (RFC 8446, 4.2.3).
    private static let signatures = [
        "ECDSA+SHA256", "ECDSA+SHA384", "ed25519", "rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512",
        "rsa_pss_pss_sha256", "rsa_pss_pss_sha384", "rsa_pss_pss_sha512", "RSA+SHA256", "RSA+SHA384", "RSA+SHA512",
    ].joined(separator: ":")

    /// Reads and checks both files. It blocks, so do not call it on an event loop.
    ///
    /// - Parameters:
    ///   - certificateFile: PEM, with the server's own certificate first and the intermediate ones after it.
    ///   - now: unix seconds. The certificates must be valid at this time.
    package convenience init(
        certificateFile: String, keyFile: String, at now: Int64 = Int64(time(nil))
    ) throws(TLSIdentityError) {
        try self.init(
            certificate: try PEMFile(certificate: certificateFile), key: try PEMFile(privateKey: keyFile), at: now)
    }

    /// Checks files that were read elsewhere.
    ///
    /// - Parameter now: unix seconds. The certificates must be valid at this time.
    package init(certificate: PEMFile, key: PEMFile, at now: Int64 = Int64(time(nil))) throws(TLSIdentityError) {
        let identity = try TLSIdentity(certificate, key, at: now)
        ErrorQueue.clear()
        guard let pointer = SSL_CTX_new(TLS_server_method()) else {
            throw .refused(file: certificate.name, ErrorQueue.failure(of: "SSL_CTX_new"))
        }
        self.pointer = pointer
        self.certificate = identity.certificate
        do {
            try configure()
            try use(identity)
        } catch {
            throw .refused(file: certificate.name, error)
        }
    }

    deinit { SSL_CTX_free(pointer) }

    private func configure() throws(OpenSSLError) {
        // Level 2 is at least 112 bits of strength in every key, digest and cipher. Debian's openssl.cnf could set less.
        SSL_CTX_set_security_level(pointer, 2)
        SSL_CTX_set_options(
            pointer,
            copenssl_op_no_renegotiation | copenssl_op_no_compression | copenssl_op_no_ticket
                | copenssl_op_cipher_server_preference)
        // No resumption in either version. The key of the tickets would decrypt recorded TLS 1.2 sessions, and a resumed
        // session would outlive a replaced certificate. A few clients with long connections gain nothing from it.
        copenssl_ctx_set_session_cache_mode(pointer, Int(SSL_SESS_CACHE_OFF))
        try Self.require(SSL_CTX_set_num_tickets(pointer, 0), "SSL_CTX_set_num_tickets")
        // A request in 0-RTT data can be replayed (RFC 8446, 8), and here a request runs a script.
        try Self.require(SSL_CTX_set_max_early_data(pointer, 0), "SSL_CTX_set_max_early_data")
        try Self.require(copenssl_ctx_set_min_proto_version(pointer, TLS1_2_VERSION), "SSL_CTX_set_min_proto_version")
        try Self.require(copenssl_ctx_set_max_proto_version(pointer, TLS1_3_VERSION), "SSL_CTX_set_max_proto_version")
        try Self.require(SSL_CTX_set_cipher_list(pointer, Self.tls12Ciphers), "SSL_CTX_set_cipher_list")
        try Self.require(SSL_CTX_set_ciphersuites(pointer, Self.tls13Ciphers), "SSL_CTX_set_ciphersuites")
        try Self.require(copenssl_ctx_set1_groups_list(pointer, Self.groups), "SSL_CTX_set1_groups_list")
        try Self.require(copenssl_ctx_set1_sigalgs_list(pointer, Self.signatures), "SSL_CTX_set1_sigalgs_list")
        // An idle connection frees its two record buffers of 17 KiB. The chain is sent as it is in the file, not completed
        // from this machine's store. Partial writes need no mode, because a memory BIO takes everything.
        copenssl_ctx_set_mode(pointer, Int(SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN))
        SSL_CTX_set_alpn_select_cb(pointer, selectHTTP11, nil)
    }

    private func use(_ identity: TLSIdentity) throws(OpenSSLError) {
        guard let own = identity.chain.first else { return }
        try Self.require(SSL_CTX_use_certificate(pointer, own.pointer), "SSL_CTX_use_certificate")
        try Self.require(SSL_CTX_use_PrivateKey(pointer, identity.key.pointer), "SSL_CTX_use_PrivateKey")
        for issuer in identity.chain.dropFirst() {
            try Self.require(copenssl_ctx_add1_chain_cert(pointer, issuer.pointer), "SSL_CTX_add1_chain_cert")
        }
    }

    /// The queue was cleared at the start and a failing call ends the set-up, so all its errors belong to that call.
    private static func require(_ result: Int32, _ operation: String) throws(OpenSSLError) {
        guard result == 1 else { throw ErrorQueue.failure(of: operation) }
    }
}

/// Picks `http/1.1`, or ends the handshake with the alert no_application_protocol (RFC 7301, 3.2). It is not called for a
/// client that offers no protocols.
private let selectHTTP11: SSL_CTX_alpn_select_cb_func = { _, chosen, chosenLength, offered, length, _ in
    guard let offered else { return SSL_TLSEXT_ERR_ALERT_FATAL }
    let names = UnsafeBufferPointer(start: offered, count: Int(length))
    var start = 1
    while start <= names.count {
        let end = start + Int(names[start - 1])
        guard end <= names.count else { break }
        if names[start..<end].elementsEqual("http/1.1".utf8) {
            chosen?.pointee = offered + start
            chosenLength?.pointee = names[start - 1]
            return SSL_TLSEXT_ERR_OK
        }
        start = end + 1
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
}
