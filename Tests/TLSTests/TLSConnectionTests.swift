import COpenSSL
import TestSupport
import Testing

@testable import OpenSSL

@Suite struct TLSConnectionTests {
    private let context: TLSContext

    init() throws { context = try TestCertificates.shared.get().context() }

    private func pair(_ version: Int32? = nil) throws -> TestPair {
        let pair = try TestPair(context, try TestClient(version))
        try pair.handshake()
        return pair
    }

    @Test(arguments: TestClient.versions) func byteByByte(version: Int32) throws {
        let pair = try TestPair(context, try TestClient(version))
        var done = (client: false, server: false)
        for _ in 0..<10 where !(done.client && done.server) {
            done.client = try pair.client.connection.handshake() == .complete
            for byte in pair.client.connection.take() {
                try pair.server.give([byte])
                done.server = try pair.server.handshake() == .complete
            }
            try pair.client.connection.give(pair.server.take())
        }
        #expect(done.client && done.server)
        try pair.client.connection.write(Array("question".utf8))
        let record = pair.client.connection.take()
        for byte in record.dropLast() {
            try pair.server.give([byte])
            #expect(pair.server.readAll() == ([], .wantsInput))
        }
        try pair.server.give(record.suffix(1))
        #expect(pair.server.readAll() == (Array("question".utf8), .wantsInput))
    }

    /// Handshake messages may be spread over many records (RFC 8446, 5.1); ten thousand of them are no attack that works.
    @Test(arguments: TestClient.versions) func aHelloInRecordsOfOneByte(version: Int32) throws {
        let pair = try TestPair(context, try TestClient(version))
        _ = try pair.client.connection.handshake()
        let hello = pair.client.connection.take()
        for byte in hello.dropFirst(5) { try pair.server.give([0x16, 0x03, 0x01, 0x00, 0x01, byte]) }
        _ = try pair.server.handshake()
        try pair.client.connection.give(pair.server.take())
        try pair.handshake()
        #expect(try pair.ask("question").bytes == Array("question".utf8))
    }

    @Test func aFloodOfDataInRecordsOfOneByte() throws {
        let pair = try pair()
        for _ in 0..<5000 { try pair.client.connection.write([0x61]) }
        try pair.server.give(pair.client.connection.take())
        #expect(pair.server.readAll() == ([UInt8](repeating: 0x61, count: 5000), .wantsInput))
    }

    @Test(
        arguments: [
            Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8), Array("POST /sync/run HTTP/1.1\r\n\r\n".utf8),
            [UInt8](repeating: 0, count: 100), [UInt8](repeating: 0xff, count: 5), Array("SSH-2.0-OpenSSH_9.2\r\n".utf8),
            [0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0xff, 0xff, 0xff, 0xff],
            [0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x28],
            [0x17, 0x03, 0x03, 0x00, 0x01, 0x00],
            (0..<100).flatMap { _ -> [UInt8] in [0x16, 0x03, 0x01, 0x00, 0x00] },
        ] as [[UInt8]])
    func whatIsNoHelloFails(bytes: [UInt8]) throws {
        let server = try TLSConnection(context)
        try server.give(bytes)
        let error = #expect(throws: OpenSSLError.self) { try server.handshake() }
        #expect(error?.operation == "SSL_do_handshake" && error?.reasons.isEmpty == false)
        #expect(ErrorQueue.drain().isEmpty)
    }

    /// The first mebibyte of whatever comes: it ends, one way or another.
    @Test(arguments: 0..<50) func randomBytesEnd(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let server = try TLSConnection(context)
        var bytes: [UInt8] = seed % 2 == 0 ? [0x16, 0x03, UInt8(seed % 4)] : []
        for _ in 0..<20000 { bytes.append(.random(in: 0...255, using: &generator)) }
        try server.give(bytes)
        #expect(throws: OpenSSLError.self) { try server.handshake() }
    }

    /// A hello with any one byte changed may be refused or not; the end of the handshake must not come of it.
    @Test(arguments: TestClient.versions) func aChangedHelloNeverCompletes(version: Int32) throws {
        let count = try { () throws -> Int in
            let client = try TestClient(version)
            _ = try client.connection.handshake()
            return client.connection.pendingCiphertext
        }()
        for index in 5..<count {
            let pair = try TestPair(context, try TestClient(version))
            _ = try pair.client.connection.handshake()
            var hello = pair.client.connection.take()
            hello[index] ^= 0x01
            try pair.server.give(hello)
            do {
                guard try pair.server.handshake() == .wantsInput else { return #expect(Bool(false), "byte \(index)") }
                try pair.client.connection.give(pair.server.take())
                try pair.handshake()
                #expect(Bool(false), "byte \(index): complete")
            } catch {
                #expect(ErrorQueue.drain().isEmpty)
            }
        }
    }

    @Test(arguments: TestClient.versions) func aForgedRecordGivesNothing(version: Int32) throws {
        let length = try { () throws -> Int in
            let pair = try pair(version)
            try pair.client.connection.write(Array("question".utf8))
            return pair.client.connection.pendingCiphertext
        }()
        for index in 5..<length {
            let pair = try pair(version)
            try pair.client.connection.write(Array("question".utf8))
            var record = pair.client.connection.take()
            record[index] ^= 0x80
            try pair.server.give(record)
            let (bytes, end) = pair.server.readAll()
            guard case .failed(let error) = end else { return #expect(Bool(false), "byte \(index): \(end)") }
            #expect(bytes.isEmpty && !error.reasons.isEmpty)
            #expect(pair.server.pendingCiphertext > 0, "an alert")
            guard case .failed = pair.server.readAll().end else { return #expect(Bool(false), "read on") }
        }
    }

    @Test func dataBeforeAForgedRecordIsGivenWithTheFailure() throws {
        let pair = try pair()
        try pair.client.connection.write(Array("good".utf8))
        let good = pair.client.connection.take()
        try pair.server.give(good + good)
        let (bytes, end) = pair.server.readAll()
        #expect(bytes == Array("good".utf8))
        guard case .failed = end else { return #expect(Bool(false), "a replayed record was taken") }
    }

    @Test(arguments: TestClient.versions) func closeNotifyComesWithTheDataBeforeIt(version: Int32) throws {
        let pair = try pair(version)
        try pair.client.connection.write(Array("question".utf8))
        try pair.client.connection.shutdown()
        try pair.server.give(pair.client.connection.take())
        #expect(pair.server.readAll() == (Array("question".utf8), .closed))
        #expect(pair.server.readAll() == ([], .closed))
        // Half closed: the answer still goes.
        #expect(try pair.answer("answer") == (Array("answer".utf8), .wantsInput))
        try pair.server.shutdown()
        try pair.client.connection.give(pair.server.take())
        #expect(pair.client.connection.readAll() == ([], .closed))
    }

    @Test(arguments: TestClient.versions) func readingGoesOnAfterOurCloseNotify(version: Int32) throws {
        let pair = try pair(version)
        try pair.server.shutdown()
        #expect(throws: OpenSSLError.self) { try pair.server.write([1]) }
        #expect(try pair.ask("question") == (Array("question".utf8), .wantsInput))
        try pair.client.connection.shutdown()
        try pair.server.give(pair.client.connection.take())
        #expect(pair.server.readAll() == ([], .closed))
    }

    @Test func nothingIsWrittenBeforeTheHandshake() throws {
        let server = try TLSConnection(context)
        #expect(throws: OpenSSLError.self) { try server.write([1]) }
        #expect(throws: OpenSSLError.self) { try server.shutdown() }
        #expect(ErrorQueue.drain().isEmpty)
    }

    @Test func keyUpdatesAreAnswered() throws {
        let pair = try pair(TLS1_3_VERSION)
        for round in 0..<3 {
            #expect(SSL_key_update(pair.client.ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
            #expect(try pair.ask("question \(round)").bytes == Array("question \(round)".utf8))
            #expect(try pair.answer("answer \(round)").bytes == Array("answer \(round)".utf8))
        }
    }

    @Test func large() throws {
        let pair = try pair()
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try pair.server.write(bytes)
        try pair.client.connection.give(pair.server.take())
        #expect(pair.client.connection.readAll() == (bytes, .wantsInput))
        try pair.client.connection.write(bytes)
        try pair.server.give(pair.client.connection.take())
        #expect(pair.server.readAll() == (bytes, .wantsInput))
        // The connection goes on with new memory BIOs.
        #expect(try pair.ask("again").bytes == Array("again".utf8))
        #expect(try pair.answer("again").bytes == Array("again".utf8))
    }

    /// Five thousand idle connections would otherwise keep what each of them once needed.
    @Test func anIdleConnectionKeepsNoLargeBuffer() throws {
        func capacity(_ bio: OpaquePointer?) -> Int {
            var memory: UnsafeMutablePointer<BUF_MEM>?
            BIO_ctrl(bio, BIO_C_GET_BUF_MEM_PTR, 0, &memory)
            return memory?.pointee.max ?? .max
        }
        let pair = try pair()
        let ssl = pair.client.ssl
        let bytes = [UInt8](repeating: 0x78, count: 100_000)
        try pair.client.connection.write(bytes)
        #expect(capacity(SSL_get_wbio(ssl)) > 100_000)
        try pair.server.give(pair.client.connection.take())
        #expect(capacity(SSL_get_wbio(ssl)) < 8192)
        try pair.server.write(bytes)
        try pair.client.connection.give(pair.server.take())
        #expect(capacity(SSL_get_rbio(ssl)) > 100_000)
        #expect(pair.client.connection.readAll() == (bytes, .wantsInput))
        #expect(capacity(SSL_get_rbio(ssl)) < 8192)
    }

    /// OpenSSL may ask for input although it has some, here behind a record without data. It is asked again while that
    /// brings it forward, or what it has would lie there until the peer sends more.
    @Test func inputThatIsThereIsUsed() throws {
        let client = try TestClient(TLS1_3_VERSION) { SSL_CTX_ctrl($0, SSL_CTRL_CLEAR_MODE, Int(SSL_MODE_AUTO_RETRY), nil) }
        let pair = try TestPair(context, client)
        try pair.handshake()
        try pair.client.connection.write([1])
        try pair.server.give(pair.client.connection.take())
        _ = pair.server.readAll()
        // The server's answer to a key update is such a record.
        #expect(SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
        _ = try pair.ask("question")
        #expect(try pair.answer("answer") == (Array("answer".utf8), .wantsInput))
    }

    @Test func nothingIsNothing() throws {
        let pair = try pair()
        try pair.server.write([])
        try pair.server.give([])
        #expect(pair.server.take().isEmpty)
        #expect(pair.server.readAll() == ([], .wantsInput))
    }

    @Test func ciphertextCanBeTakenInPieces() throws {
        let pair = try pair()
        try pair.server.write(Array("answer".utf8))
        var piece: UInt8 = 0
        while pair.server.pendingCiphertext > 0 {
            #expect(withUnsafeMutableBytes(of: &piece) { pair.server.takeCiphertext(into: $0) } == 1)
            try pair.client.connection.give([piece])
        }
        #expect(pair.client.connection.readAll().bytes == Array("answer".utf8))
    }

    /// SSL_get_error looks into the queue: what another call left there would end a healthy connection.
    @Test func whatAnotherCallLeftInTheErrorQueueDoesNoHarm() throws {
        func leaveAnError() { #expect(EVP_MD_fetch(nil, "left behind", nil) == nil) }
        let pair = try TestPair(context, try TestClient())
        leaveAnError()
        #expect(try pair.server.handshake() == .wantsInput)
        try pair.handshake()
        leaveAnError()
        #expect(pair.server.readAll() == ([], .wantsInput))
        leaveAnError()
        try pair.server.write([1])
        leaveAnError()
        try pair.server.shutdown()
        leaveAnError()
        let server = try TLSConnection(context)
        leaveAnError()
        try server.give(Array("GET / HTTP/1.1\r\n".utf8))
        let error = #expect(throws: OpenSSLError.self) { try server.handshake() }
        #expect(error?.reasons.count == 1)
    }
}
