import COpenSSL
import Testing

@testable import OpenSSL

/// What a client can and cannot get out of our configuration.
@Suite struct TLSContextTests {
    private let made: TestCertificates

    init() throws { made = try TestCertificates.shared.get() }

    /// The reasons a handshake failed for, on the client's side (an alert) and the server's.
    private func refusal(
        _ client: TestClient, by name: String = "ec", sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        let pair = try TestPair(try made.context(name), client)
        let error = try #require(throws: OpenSSLError.self, sourceLocation: sourceLocation) { try pair.handshake() }
        var reasons = error.reasons
        do { _ = try client.connection.handshake() } catch { reasons += error.reasons }
        #expect(ErrorQueue.drain().isEmpty)
        return reasons.joined(separator: "; ")
    }

    private func client(ciphers: String, _ version: Int32 = TLS1_2_VERSION) throws -> TestClient {
        try TestClient(version) { context in
            SSL_CTX_set_security_level(context, 0)
            #expect(SSL_CTX_set_cipher_list(context, ciphers) == 1)
        }
    }

    @Test(arguments: TestClient.versions) func bothVersions(version: Int32) throws {
        let pair = try TestPair(try made.context(), try TestClient(version))
        try pair.handshake()
        #expect(pair.server.version == (version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3"))
        #expect(try pair.ask("question").bytes == Array("question".utf8))
        #expect(try pair.answer("answer").bytes == Array("answer".utf8))
    }

    @Test(arguments: [TLS1_VERSION, TLS1_1_VERSION]) func olderVersionsAreRefused(version: Int32) throws {
        let refused = try refusal(try client(ciphers: "ALL:@SECLEVEL=0", version))
        #expect(refused.contains("unsupported protocol"))
    }

    @Test(arguments: [
        ("ec", "ECDHE-ECDSA-AES128-GCM-SHA256"), ("ec", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("ec", "ECDHE-ECDSA-CHACHA20-POLY1305"), ("rsa", "ECDHE-RSA-AES128-GCM-SHA256"),
        ("rsa", "ECDHE-RSA-AES256-GCM-SHA384"), ("rsa", "ECDHE-RSA-CHACHA20-POLY1305"),
    ])
    func everyCipherOfTLS12(name: String, cipher: String) throws {
        let pair = try TestPair(try made.context(name), try client(ciphers: cipher))
        try pair.handshake()
        #expect(pair.server.cipher == cipher)
    }

    /// Everything else this OpenSSL could do: no forward secrecy, CBC, CCM, DHE, no encryption, no authentication.
    @Test(arguments: ["ec", "rsa"], ["kRSA", "AES128:-AESGCM", "AESCCM", "DHE:-ECDHE", "eNULL", "aNULL", "ARIA", "CAMELLIA"])
    func otherCiphersAreRefused(name: String, ciphers: String) throws {
        let refused = try refusal(try client(ciphers: "\(ciphers):-ECDHE+AESGCM:-ECDHE+CHACHA20:@SECLEVEL=0"), by: name)
        #expect(refused.contains("no shared cipher"))
    }

    @Test func theServersOrderDecides() throws {
        let reversed = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
        let tls12 = try TestPair(try made.context(), try client(ciphers: reversed))
        try tls12.handshake()
        #expect(tls12.server.cipher == "ECDHE-ECDSA-AES128-GCM-SHA256")

        let tls13 = try TestPair(
            try made.context(),
            try TestClient(TLS1_3_VERSION) {
                #expect(SSL_CTX_set_ciphersuites($0, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256") == 1)
            })
        try tls13.handshake()
        #expect(tls13.server.cipher == "TLS_AES_128_GCM_SHA256")
    }

    @Test(arguments: TestClient.versions, ["X25519", "P-256", "P-384"]) func everyGroup(version: Int32, group: String) throws {
        let pair = try TestPair(
            try made.context("rsa"), try TestClient(version) { #expect(copenssl_ctx_set1_groups_list($0, group) == 1) })
        try pair.handshake()
    }

    @Test(arguments: TestClient.versions, ["P-521", "X448"]) func otherGroupsAreRefused(version: Int32, group: String) throws {
        _ = try refusal(try TestClient(version) { #expect(copenssl_ctx_set1_groups_list($0, group) == 1) })
    }

    @Test func aClientThatKnowsSHA1OnlyIsRefused() throws {
        let refused = try refusal(
            try TestClient(TLS1_2_VERSION) {
                SSL_CTX_set_security_level($0, 0)
                #expect(copenssl_ctx_set1_sigalgs_list($0, "ECDSA+SHA1:RSA+SHA1") == 1)
            })
        #expect(refused.contains("no shared signature algorithms") || refused.contains("no shared cipher"))
    }

    @Test(arguments: TestClient.versions) func http11IsChosenAmongOthers(version: Int32) throws {
        let pair = try TestPair(try made.context(), try TestClient(version, protocols: ["h2", "http/1.1", "spdy/3"]))
        try pair.handshake()
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(pair.client.ssl, &name, &length)
        #expect(UnsafeBufferPointer(start: name, count: Int(length)).elementsEqual("http/1.1".utf8))
    }

    @Test(arguments: TestClient.versions, [["h2"], ["http/1.0", "HTTP/1.1", "http/1.1x", "x"]])
    func noCommonProtocolIsAnAlert(version: Int32, protocols: [String]) throws {
        #expect(try refusal(try TestClient(version, protocols: protocols)).contains("no application protocol"))
    }

    @Test(arguments: TestClient.versions) func aClientWithoutProtocolsIsFine(version: Int32) throws {
        let pair = try TestPair(try made.context(), try TestClient(version, protocols: []))
        try pair.handshake()
        #expect(try pair.ask("question").bytes == Array("question".utf8))
    }

    @Test(arguments: TestClient.versions) func noSessionCanBeResumed(version: Int32) throws {
        let pair = try TestPair(try made.context(), try TestClient(version))
        try pair.handshake()
        #expect(try pair.answer("answer").bytes == Array("answer".utf8))
        #expect(SSL_SESSION_is_resumable(SSL_get_session(pair.client.ssl)) == 0)
        #expect(SSL_SESSION_has_ticket(SSL_get_session(pair.client.ssl)) == 0)
    }

    @Test func noEarlyDataAndNoCompression() throws {
        let context = try made.context()
        #expect(SSL_CTX_get_max_early_data(context.pointer) == 0)
        #expect(SSL_CTX_get_security_level(context.pointer) == 2)
        let pair = try TestPair(context, try TestClient(TLS1_2_VERSION) { SSL_CTX_clear_options($0, copenssl_op_no_compression) })
        try pair.handshake()
        #expect(SSL_get_current_compression(pair.client.ssl) == nil)
    }

    @Test func aRequestToRenegotiateIsNotFollowed() throws {
        let pair = try TestPair(try made.context(), try TestClient(TLS1_2_VERSION))
        try pair.handshake()
        #expect(SSL_renegotiate(pair.client.ssl) == 1)
        #expect(try pair.client.connection.handshake() == .wantsInput)
        try pair.server.give(pair.client.connection.take())
        #expect(pair.server.readAll().bytes.isEmpty)
        try pair.client.connection.give(pair.server.take())
        let error = #expect(throws: OpenSSLError.self) { try pair.client.connection.handshake() }
        #expect(error?.reasons.joined().contains("no renegotiation") == true)
    }

    /// What was in the file is sent, in its order, and nothing of this machine's own store.
    @Test func theChainIsSentAsItStandsInTheFile() throws {
        try made.openssl("req -new -key ec.key -subj /CN=leaf.example -out leaf.csr")
        try made.openssl("x509 -req -in leaf.csr -CA rsa.pem -CAkey rsa.key -days 30 -set_serial 2 -out leaf.pem")
        try made.write(try made.read("leaf.pem") + made.read("rsa.pem"), to: "full.pem")
        let context = try TLSContext(certificateFile: made("full.pem"), keyFile: made("ec.key"))
        let pair = try TestPair(context, try TestClient())
        try pair.handshake()
        #expect(OPENSSL_sk_num(SSL_get_peer_cert_chain(pair.client.ssl)) == 2)
        #expect(context.certificate.subject == "CN = leaf.example")
    }
}
