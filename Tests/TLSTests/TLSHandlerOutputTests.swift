import COpenSSL
import NIOCore
import NIOEmbedded
import Testing

@testable import OpenSSL
@testable import TLS

@Suite struct TLSHandlerOutputTests {
    @Test(arguments: TestClient.versions) func answersOfEverySize(version: Int32) throws {
        let server = try TestServer(version)
        try server.handshake()
        for size in [0, 1, 2, 16383, 16384, 16385, 100_000] {
            let written = Outcome(server.channel)
            let answer = String(repeating: "x", count: size)
            server.channel.writeAndFlush(ByteBuffer(string: answer), promise: written.promise)
            #expect(written.succeeded, "\(size)")
            #expect(try server.answer() == (answer, .wantsInput), "\(size)")
        }
    }

    @Test func plaintextWaitsForItsFlush() throws {
        let server = try TestServer()
        try server.handshake()
        let written = Outcome(server.channel)
        server.channel.write(ByteBuffer(string: "answer"), promise: written.promise)
        #expect(try server.sent().isEmpty && written.isPending)
        server.channel.flush()
        #expect(try server.answer().text == "answer")
        #expect(written.succeeded)
    }

    @Test func plaintextWaitsForTheHandshake() throws {
        let server = try TestServer()
        let written = Outcome(server.channel)
        server.channel.writeAndFlush(ByteBuffer(string: "greeting"), promise: written.promise)
        #expect(try server.sent().isEmpty)
        try server.handshake()
        #expect(try server.answer().text == "greeting")
        #expect(written.succeeded)
    }

    /// What the peer does not take waits as plaintext; its ciphertext is never more than a record beyond the limit.
    @Test func aStalledPeerStopsEncryption() throws {
        let server = try TestServer()
        try server.handshake()
        server.socket.isStalled = true
        server.socket.limit = 65536
        let outcomes = (0..<100).map { _ in Outcome(server.channel) }
        for outcome in outcomes { server.channel.write(ByteBuffer(repeating: 0x78, count: 40000), promise: outcome.promise) }
        server.channel.flush()
        #expect(server.socket.buffered > 65536 && server.socket.buffered < 65536 + 17000)
        #expect(outcomes.allSatisfy { $0.isPending })

        var received = 0
        for _ in 0..<1000 where outcomes.contains(where: { $0.isPending }) {
            server.socket.resume(try server.socketContext())
            #expect(server.socket.buffered < 65536 + 17000)
            received += try server.answer().text.utf8.count
        }
        server.socket.resume(try server.socketContext())
        received += try server.answer().text.utf8.count
        #expect(outcomes.allSatisfy { $0.succeeded })
        #expect(received == 100 * 40000)
    }

    @Test func aStalledPeerIsNotReadEither() throws {
        let server = try TestServer()
        try server.handshake()
        server.socket.isStalled = true
        server.socket.limit = 0
        server.channel.writeAndFlush(ByteBuffer(string: "answer"), promise: nil)
        #expect(!server.channel.isWritable)
        let reads = server.socket.reads
        try server.ask("question")
        server.channel.read()
        #expect(server.socket.reads == reads)
        server.socket.resume(try server.socketContext())
        #expect(server.socket.reads == reads + 1)
    }

    /// Embedded channels ask for no reads by themselves, so every read counted here is one somebody asked for.
    @Test func nothingIsReadThatNobodyWants() throws {
        let server = try TestServer()
        try server.handshake()
        let reads = server.socket.reads
        try server.ask("question")
        #expect(server.socket.reads == reads)
        server.channel.read()
        #expect(server.socket.reads == reads + 1)
        // Half a record answers no read: it goes on by itself.
        try server.client.connection.write(Array("question".utf8))
        let record = server.client.connection.take()
        try server.receive(Array(record.prefix(10)))
        #expect(server.socket.reads == reads + 2)
        try server.receive(Array(record.dropFirst(10)))
        #expect(server.socket.reads == reads + 2)
    }

    @Test func closingTheOutputSendsAllThatWaitsFirst() throws {
        let server = try TestServer()
        try server.handshake()
        server.socket.isStalled = true
        server.socket.limit = 20000
        let written = Outcome(server.channel)
        let closed = Outcome(server.channel)
        server.channel.write(ByteBuffer(repeating: 0x78, count: 200_000), promise: written.promise)
        server.channel.close(mode: .output, promise: closed.promise)
        let late = Outcome(server.channel)
        server.channel.writeAndFlush(ByteBuffer(string: "too late"), promise: late.promise)
        #expect(late.error as? ChannelError == .outputClosed)

        var received = 0
        var end = TLSConnection.ReadEnd.wantsInput
        for _ in 0..<100 where end != .closed {
            #expect(closed.isPending && !server.socket.isOutputClosed)
            server.socket.resume(try server.socketContext())
            let answer = try server.answer()
            received += answer.text.utf8.count
            end = answer.end
        }
        #expect(received == 200_000 && end == .closed)
        #expect(written.succeeded && closed.succeeded && server.socket.isOutputClosed)
        #expect(server.socket.closes == 0)
    }

    /// The client may go on sending; it is delivered until it is done.
    @Test func aClosedOutputStillReceives() throws {
        let server = try TestServer()
        try server.handshake()
        server.channel.close(mode: .output, promise: nil)
        #expect(try server.answer().end == .closed)
        try server.ask("more")
        #expect(text(server.recorder.bytes) == "more")
        try server.client.connection.shutdown()
        try server.exchange()
        #expect(server.recorder.events == [.handshake, .inactive])
    }

    @Test func everyPromiseOfAStalledPeerFailsOnceWhenItIsLeft() throws {
        let server = try TestServer()
        try server.handshake()
        server.socket.isStalled = true
        server.socket.limit = 20000
        let outcomes = (0..<10).map { _ in Outcome(server.channel) }
        for outcome in outcomes { server.channel.writeAndFlush(ByteBuffer(repeating: 0x78, count: 30000), promise: outcome.promise) }
        let closes = (0..<3).map { _ in Outcome(server.channel) }
        for close in closes { server.channel.close(promise: close.promise) }
        let output = Outcome(server.channel)
        server.channel.close(mode: .output, promise: output.promise)
        let late = Outcome(server.channel)
        server.channel.writeAndFlush(ByteBuffer(string: "too late"), promise: late.promise)
        #expect(late.error as? ChannelError == .outputClosed)
        #expect(closes.allSatisfy { $0.isPending })
        server.channel.embeddedEventLoop.advanceTime(by: .seconds(5))
        #expect(outcomes.filter { $0.error != nil && $0.results.count == 1 }.count == 10)
        #expect(outcomes.last?.error as? TLSError == .shutdownTimedOut)
        #expect(closes.allSatisfy { $0.succeeded })
        #expect(output.error as? ChannelError == .ioOnClosedChannel && output.results.count == 1)
        #expect(server.socket.closes == 1)
    }

    @Test func promisesOfAFailedHandshake() throws {
        let server = try TestServer()
        let written = Outcome(server.channel)
        let output = Outcome(server.channel)
        server.channel.writeAndFlush(ByteBuffer(string: "greeting"), promise: written.promise)
        server.channel.close(mode: .output, promise: output.promise)
        try server.receive(Array("GET / HTTP/1.1\r\n\r\n".utf8))
        guard case TLSError.handshakeFailed? = written.error else { return #expect(Bool(false), "\(written.results)") }
        #expect(output.results.count == 1)
        let late = Outcome(server.channel)
        server.channel.writeAndFlush(ByteBuffer(string: "too late"), promise: late.promise)
        #expect(late.error as? ChannelError == .ioOnClosedChannel)
        let again = Outcome(server.channel)
        server.channel.close(promise: again.promise)
        #expect(again.error as? ChannelError == .alreadyClosed)
        #expect(server.socket.closes == 2, "the second is passed on, to be told so")
    }

    @Test func promisesOfAConnectionThatIsLost() throws {
        let server = try TestServer()
        try server.handshake()
        let written = Outcome(server.channel)
        let output = Outcome(server.channel)
        server.channel.write(ByteBuffer(string: "unflushed"), promise: written.promise)
        server.socket.isStalled = true
        server.channel.close(mode: .output, promise: output.promise)
        // The socket fails under us.
        try server.socketContext().close(promise: nil)
        #expect(written.results.count == 1 && written.error != nil)
        #expect(output.results.count == 1 && output.error != nil)
    }

    @Test func closingDuringTheHandshake() throws {
        let server = try TestServer()
        let closed = Outcome(server.channel)
        server.channel.close(promise: closed.promise)
        #expect(closed.succeeded && server.socket.closes == 1)
        #expect(server.recorder.entries == [.inactive])
        #expect(try server.sent().isEmpty)
    }

    @Test func aHandlerThatClosesWhileItIsGivenData() throws {
        let server = try TestServer()
        try server.handshake()
        server.recorder.onData = { context, _ in
            context.writeAndFlush(NIOAny(ByteBuffer(string: "bye")), promise: nil)
            context.close(promise: nil)
        }
        for _ in 0..<3 { try server.client.connection.write([UInt8](repeating: 0x78, count: 16384)) }
        try server.exchange()
        #expect(server.recorder.bytes.count == 16384, "nothing is delivered after the close")
        #expect(try server.answer() == ("bye", .closed))
    }

    @Test func aHandlerThatAnswersWhileItIsGivenData() throws {
        let server = try TestServer()
        try server.handshake()
        server.recorder.onData = { context, bytes in
            context.writeAndFlush(NIOAny(ByteBuffer(string: "got \(bytes.count) ")), promise: nil)
        }
        try server.ask("12345")
        try server.ask("123")
        #expect(server.client.connection.readAll().bytes == Array("got 5 got 3 ".utf8))
    }

    @Test func closingTheInputEndsItForThoseBehind() throws {
        let server = try TestServer()
        try server.handshake()
        let closed = Outcome(server.channel)
        server.channel.close(mode: .input, promise: closed.promise)
        #expect(closed.succeeded)
        try server.ask("question")
        #expect(server.recorder.entries == [.handshake, .inputClosed])
        try server.channel.writeOutbound(ByteBuffer(string: "answer"))
        #expect(try server.answer() == ("answer", .wantsInput))
    }

    @Test func requestsToRenegotiateDoNotPileUp() throws {
        let server = try TestServer(TLS1_2_VERSION)
        try server.handshake()
        server.socket.isStalled = true
        server.socket.limit = 0
        #expect(SSL_renegotiate(server.client.ssl) == 1)
        _ = try server.client.connection.handshake()
        try server.exchange()
        let reads = server.socket.reads
        server.channel.read()
        #expect(server.socket.buffered > 0, "refused by an alert")
        #expect(server.socket.reads == reads, "and read no further while it is not taken")
    }
}
