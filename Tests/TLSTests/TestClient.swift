import COpenSSL
import Testing

@testable import OpenSSL

/// A client over memory BIOs, with nothing switched off that a hostile or an old one might use.
struct TestClient {
    let connection: TLSConnection
    let ssl: OpaquePointer

    /// - Parameter configure: gets the client's `SSL_CTX`.
    init(
        _ version: Int32? = nil, protocols: [String] = ["http/1.1"], configure: (OpaquePointer) -> Void = { _ in }
    ) throws {
        let context = try #require(SSL_CTX_new(TLS_client_method()))
        defer { SSL_CTX_free(context) }
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        if let version {
            #expect(copenssl_ctx_set_min_proto_version(context, version) == 1)
            #expect(copenssl_ctx_set_max_proto_version(context, version) == 1)
        }
        if !protocols.isEmpty {
            let list = protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
            #expect(SSL_CTX_set_alpn_protos(context, list, UInt32(list.count)) == 0)
        }
        configure(context)
        ssl = try #require(SSL_new(context))
        SSL_set_connect_state(ssl)
        connection = try TLSConnection(owning: ssl)
    }

    static let versions = [TLS1_2_VERSION, TLS1_3_VERSION]
}

extension TLSConnection {
    /// All that waits to be sent.
    func take() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: pendingCiphertext)
        let count = bytes.withUnsafeMutableBytes { takeCiphertext(into: $0) }
        #expect(count == bytes.count)
        return bytes
    }

    func give(_ bytes: some Collection<UInt8>) throws {
        try Array(bytes).withUnsafeBytes { try receive($0) }
    }

    func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try write($0) }
    }

    /// Everything that can be decrypted now.
    func readAll() -> (bytes: [UInt8], end: ReadEnd) {
        var all: [UInt8] = []
        while true {
            var space = [UInt8](repeating: 0, count: 16384)
            let (count, end) = space.withUnsafeMutableBytes { read(into: $0) }
            all += space.prefix(count)
            if end != .full { return (all, end) }
        }
    }
}

/// Both ends in memory.
struct TestPair {
    let client: TestClient
    let server: TLSConnection

    init(_ context: TLSContext, _ client: TestClient) throws {
        self.client = client
        server = try TLSConnection(context)
    }

    /// Carries the handshake's messages to and fro until both have done.
    ///
    /// - Throws: the server's error first, or the client's.
    func handshake() throws {
        var clientError: (any Error)?
        for _ in 0..<10 {
            var clientDone = false
            do { clientDone = try client.connection.handshake() == .complete } catch { clientError = error }
            try server.give(client.connection.take())
            let serverDone: Bool
            do { serverDone = try server.handshake() == .complete } catch {
                try client.connection.give(server.take())
                throw error
            }
            try client.connection.give(server.take())
            if let clientError { throw clientError }
            if clientDone && serverDone { return }
        }
        throw Stuck()
    }

    struct Stuck: Error {}

    /// Sends text from client to server.
    func ask(_ text: String) throws -> (bytes: [UInt8], end: TLSConnection.ReadEnd) {
        try client.connection.write(Array(text.utf8))
        try server.give(client.connection.take())
        return server.readAll()
    }

    /// Sends text from server to client.
    func answer(_ text: String) throws -> (bytes: [UInt8], end: TLSConnection.ReadEnd) {
        try server.write(Array(text.utf8))
        try client.connection.give(server.take())
        return client.connection.readAll()
    }
}
