import NIOCore
import NIOEmbedded
import Testing

@testable import OpenSSL
@testable import TLS

private func cut(at index: Int) -> ([UInt8]) -> [[UInt8]] {
    { [Array($0.prefix(index)), Array($0.dropFirst(index))] }
}

private func intoBytes(_ bytes: [UInt8]) -> [[UInt8]] { bytes.map { [$0] } }

@Suite struct TLSHandlerInputTests {
    @Test(arguments: TestClient.versions) func aHandshakeAndData(version: Int32) throws {
        let server = try TestServer(version)
        try server.handshake()
        try server.ask("question")
        #expect(server.recorder.entries == [.handshake, .bytes(Array("question".utf8)), .readComplete])
    }

    /// The pieces a network may deliver are no business of TLS: every cut of every flight gives the same.
    @Test(arguments: TestClient.versions) func aHandshakeCutAtEveryByte(version: Int32) throws {
        var longest = 0
        var index = 1
        repeat {
            let server = try TestServer(version)
            try server.handshake {
                longest = max(longest, $0.count)
                return cut(at: index)($0)
            }
            try server.ask("question")
            #expect(text(server.recorder.bytes) == "question", "cut at \(index)")
            #expect(server.recorder.events == [.handshake], "cut at \(index)")
            index += 1
        } while index < longest
        #expect(longest > 100)
    }

    @Test(arguments: TestClient.versions) func dataCutAtEveryByte(version: Int32) throws {
        let server = try TestServer(version)
        try server.handshake(cut: intoBytes)
        try server.client.connection.write(Array("question 0".utf8))
        let length = server.client.connection.pendingCiphertext
        try server.exchange()
        var expected = "question 0"
        for index in 1..<length {
            try server.ask("question \(index % 10)", cut: cut(at: index))
            expected += "question \(index % 10)"
            #expect(text(server.recorder.bytes) == expected, "cut at \(index)")
        }
        try server.ask("last", cut: intoBytes)
        #expect(text(server.recorder.bytes) == expected + "last")
    }

    @Test(arguments: TestClient.versions) func dataThatComesWithTheEndOfTheHandshake(version: Int32) throws {
        let server = try TestServer(version)
        while try server.client.connection.handshake() != .complete { try #require(try server.exchange()) }
        // The client speaks first in 1.3; in 1.2 the server's Finished has come by now.
        try server.client.connection.write(Array("question".utf8))
        try server.exchange()
        #expect(server.recorder.entries == [.handshake, .bytes(Array("question".utf8)), .readComplete])
    }

    @Test(arguments: TestClient.versions) func aFINAtEveryByteOfTheHandshakeCloses(version: Int32) throws {
        var longest = 0
        var index = 0
        repeat {
            let server = try TestServer(version)
            _ = try server.client.connection.handshake()
            let hello = server.client.connection.take()
            longest = hello.count
            try server.receive(Array(hello.prefix(index)))
            server.finishPeer()
            #expect(server.recorder.entries == [.error(.closedDuringHandshake), .inactive], "byte \(index)")
            #expect(server.socket.closes == 1)
            index += 1
        } while index <= longest
        #expect(longest > 40)
    }

    /// A request cut short must look like no end of a request: no `inputClosed`, and never a byte of a broken record.
    @Test(arguments: TestClient.versions) func aFINAtEveryByteOfDataIsATruncation(version: Int32) throws {
        var longest = 0
        var index = 0
        repeat {
            let server = try TestServer(version)
            try server.handshake()
            try server.client.connection.write(Array("first ".utf8))
            let first = server.client.connection.pendingCiphertext
            try server.client.connection.write(Array("second".utf8))
            let both = server.client.connection.take()
            longest = both.count
            try server.receive(Array(both.prefix(index)))
            server.finishPeer()
            #expect(text(server.recorder.bytes) == (index < first ? "" : index < both.count ? "first " : "first second"))
            #expect(server.recorder.events == [.handshake, .error(.truncated), .inactive], "byte \(index)")
            #expect(server.socket.closes == 1)
            index += 1
        } while index <= longest
        #expect(longest > 40)
    }

    @Test(arguments: TestClient.versions) func closeNotifyIsTheEndOfTheInput(version: Int32) throws {
        let server = try TestServer(version)
        try server.handshake()
        try server.client.connection.write(Array("question".utf8))
        try server.client.connection.shutdown()
        try server.exchange(cut: intoBytes)
        server.finishPeer()
        #expect(server.recorder.events == [.handshake, .inputClosed])
        #expect(text(server.recorder.bytes) == "question")
        // Half closed: the answer still goes out, then close_notify, then the connection ends.
        let closed = Outcome(server.channel)
        try server.channel.writeOutbound(ByteBuffer(string: "answer"))
        server.channel.close(mode: .output, promise: closed.promise)
        #expect(try server.answer() == ("answer", .closed))
        #expect(closed.succeeded)
        #expect(server.recorder.events == [.handshake, .inputClosed, .inactive])
        #expect(server.socket.closes == 1)
    }

    @Test func whatFollowsCloseNotifyIsNotKept() throws {
        let server = try TestServer()
        try server.handshake()
        try server.client.connection.shutdown()
        try server.exchange()
        for _ in 0..<100 { try server.receive([UInt8](repeating: 0x17, count: 10000)) }
        #expect(server.recorder.events == [.handshake, .inputClosed])
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "\u{16}\u{3}\u{1}\u{0}\u{1}x", "\0\0\0\0\0\0\0\0", "\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}(",
    ])
    func whatIsNoTLSEndsTheConnection(bytes: String) throws {
        let server = try TestServer()
        try server.receive(Array(bytes.utf8))
        server.finishPeer()
        guard case .error? = server.recorder.entries.first else { return #expect(Bool(false), "\(server.recorder.entries)") }
        #expect(server.recorder.entries.count == 2 && server.recorder.entries.last == .inactive)
        #expect(server.socket.closes == 1)
    }

    @Test func anAlertGoesOutBeforeTheEnd() throws {
        let server = try TestServer(try TestClient(protocols: ["h2"]))
        let error = #expect(throws: OpenSSLError.self) { try server.handshake() }
        #expect(error?.reasons.joined().contains("no application protocol") == true)
        guard case .error(.handshakeFailed) = server.recorder.entries.first else {
            return #expect(Bool(false), "\(server.recorder.entries)")
        }
        #expect(server.socket.closes == 1)
    }

    @Test func aForgedRecordEndsTheConnectionWithAnAlert() throws {
        let server = try TestServer()
        try server.handshake()
        try server.client.connection.write(Array("question".utf8))
        var record = server.client.connection.take()
        record[record.count - 1] ^= 1
        try server.receive(record)
        guard server.recorder.events.count == 3, case .error(.failed) = server.recorder.events[1] else {
            return #expect(Bool(false), "\(server.recorder.events)")
        }
        #expect(server.recorder.bytes.isEmpty)
        guard case .failed(let alert) = try server.answer().end else { return #expect(Bool(false), "no alert") }
        #expect(alert.reasons.joined().contains("bad record mac"))
    }

    @Test func aResetInTheMiddleIsATruncation() throws {
        let server = try TestServer()
        try server.handshake()
        server.channel.pipeline.fireChannelInactive()
        #expect(server.recorder.events == [.handshake, .error(.truncated), .inactive])
    }
}
