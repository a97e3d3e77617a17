import HTTPFraming
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPServer
@testable import TLS

/// The guard on an embedded channel, whose clock the tests turn.
@Suite struct RequestGuardTests {
    private func opened() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(
            handler: RequestGuard(
                cors: CORSPolicy(origins: []), memory: RequestMemory(maximum: 10_000), keepsBody: { $0.authorization == "Bearer kept" }))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private func answer(_ channel: EmbeddedChannel) throws -> String? {
        try channel.readOutbound(as: ByteBuffer.self).map { String(buffer: $0) }
    }

    @Test func aHeadHasTenSecondsFromTheConnection() throws {
        let channel = try opened()
        channel.embeddedEventLoop.advanceTime(by: .seconds(6))
        try channel.writeInbound(ByteBuffer(string: "GET"))
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(3999))
        #expect(try answer(channel) == nil)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(try answer(channel)?.hasPrefix("HTTP/1.1 408 ") == true)
    }

    @Test func aHandshakeTakesNothingOfTheHeadsTime() throws {
        let channel = try opened()
        channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        channel.pipeline.fireUserInboundEventTriggered(TLSHandshakeCompleted(version: "TLSv1.3", cipher: ""))
        channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        try channel.writeInbound(ByteBuffer(string: "GET"))
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(999))
        #expect(try answer(channel) == nil)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(try answer(channel)?.hasPrefix("HTTP/1.1 408 ") == true)
    }

    /// A service that stops waits five seconds for a reader that has stopped, or for an answer that does not come.
    @Test func anAnswerDelaysAShutdownByFiveSeconds() throws {
        let channel = try opened()
        try channel.writeInbound(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(4999))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!channel.isActive)
    }

    private static let body = String(repeating: "b", count: 9000)

    @Test(arguments: [("Bearer kept", true), ("Bearer other", false)])
    func aBodyIsPassedOnOnlyIfItIsKept(authorization: String, kept: Bool) throws {
        let channel = try opened()
        let head = "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: \(authorization)\r\nContent-Length: 9000\r\n\r\n"
        try channel.writeInbound(ByteBuffer(string: head))
        try channel.writeInbound(ByteBuffer(string: String(Self.body.dropLast())))
        #expect(try channel.readInbound(as: Request.self) == nil, "not complete yet")
        try channel.writeInbound(ByteBuffer(string: "b"))
        let passed = try channel.readInbound(as: Request.self)
        #expect(passed?.body == (kept ? Array(Self.body.utf8) : []))
    }

    /// The budget of these tests is 10,000 bytes beyond the first 4,096 of each connection.
    @Test func unfinishedRequestsHaveOneBudget() throws {
        let memory = RequestMemory(maximum: 10_000)
        func connected() throws -> EmbeddedChannel {
            let channel = EmbeddedChannel(handler: RequestGuard(cors: CORSPolicy(origins: []), memory: memory, keepsBody: { _ in true }))
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
            return channel
        }
        let large = ByteBuffer(string: "GET / HTTP/1.1\r\nX: \(String(repeating: "a", count: 9000))")
        let first = try connected()
        let second = try connected()
        let third = try connected()
        try first.writeInbound(large)
        try second.writeInbound(large)
        try third.writeInbound(large)
        #expect(try answer(third)?.hasPrefix("HTTP/1.1 503 ") == true)
        let small = try connected()
        try small.writeInbound(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        #expect(try small.readInbound(as: Request.self) != nil)
        // What a connection held is free again when it ends.
        try first.close().wait()
        first.embeddedEventLoop.run()
        let fourth = try connected()
        try fourth.writeInbound(large)
        #expect(try answer(fourth) == nil)
    }

    @Test func aHeadRequestIsRefusedWithoutABody() throws {
        let channel = try opened()
        try channel.writeInbound(ByteBuffer(string: "HEAD / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n"))
        let refusal = try answer(channel)
        #expect(refusal?.hasPrefix("HTTP/1.1 400 ") == true && refusal?.hasSuffix("\r\n\r\n") == true)
        #expect(refusal?.contains("Content-Length: 0\r\n") == false)
    }
}
