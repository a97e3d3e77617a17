import HTTPTypes
import JSON
import NIOCore
import NIOEmbedded
import Testing

@testable import SyncService
@testable import TLS

/// The guard by a clock of its own.
@Suite struct RequestGuardTests {
    private func opened() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handler: RequestGuard(cors: CORSPolicy(origins: [])))
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
}

extension RequestGuardTests {
    /// A service that stops waits neither for a reader that has stopped nor for an answer that does not come.
    @Test func anAnswerUnderWayHoldsNobodyUpForLong() throws {
        let channel = try opened()
        try channel.writeInbound(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(4999))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!channel.isActive)
    }
}

@Suite struct ReadSlotsTests {
    @Test func aSlotIsFreeAgainWhenNobodyKeepsIt() throws {
        let slots = ReadSlots(2)
        let first = try slots.take()
        var second: ReadSlots.Slot? = try slots.take()
        #expect(throws: RequestError.self) { try slots.take() }
        // As after a HEAD request, whose answer's body is thrown away unsent.
        var answer: Any? = second.map { Answer.json(.ok, .object([]), keeping: $0) }
        second = nil
        #expect(throws: RequestError.self) { try slots.take() }
        _ = answer
        answer = nil
        #expect(throws: Never.self) { try slots.take() }
        withExtendedLifetime(first) {}
    }
}
