import HTTPFraming
import HTTPTypes
import JSON
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import HTTPServer
@testable import TLS

/// The guard by a clock of its own.
@Suite struct RequestGuardTests {
    private func opened() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handler: RequestGuard(
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

extension RequestGuardTests {
    private static let body = String(repeating: "b", count: 9000)

    @Test(arguments: [("Bearer kept", true), ("Bearer other", false)])
    func aBodyIsPassedOnToThoseWhoMayUseItOnly(authorization: String, kept: Bool) throws {
        let channel = try opened()
        let head = "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: \(authorization)\r\nContent-Length: 9000\r\n\r\n"
        try channel.writeInbound(ByteBuffer(string: head))
        try channel.writeInbound(ByteBuffer(string: String(Self.body.dropLast())))
        #expect(try channel.readInbound(as: ByteBuffer.self) == nil, "not complete yet")
        try channel.writeInbound(ByteBuffer(string: "b"))
        let passed = try channel.readInbound(as: ByteBuffer.self).map { String(buffer: $0) }
        #expect(passed == (kept ? head + Self.body : head.replacing("Content-Length: 9000\r\n", with: "")))
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
        #expect(try small.readInbound(as: ByteBuffer.self) != nil)
        // What a connection held is free again when it ends.
        try first.close().wait()
        first.embeddedEventLoop.run()
        let fourth = try connected()
        try fourth.writeInbound(large)
        #expect(try answer(fourth) == nil)
    }

    /// Writes that the socket takes are progress; a client is closed after a minute without any.
    @Test func aReaderHasAMinuteWithoutProgress() throws {
        let channel = try opened()
        try channel.writeInbound(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        for _ in 0..<10 {
            channel.embeddedEventLoop.advanceTime(by: .seconds(50))
            channel.writeAndFlush(ByteBuffer(string: "a piece"), promise: nil)
            #expect(channel.isActive)
        }
        channel.embeddedEventLoop.advanceTime(by: .seconds(59))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(6))
        #expect(!channel.isActive)
    }

    @Test func aHeadRequestIsRefusedWithoutABody() throws {
        let channel = try opened()
        try channel.writeInbound(ByteBuffer(string: "HEAD / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n"))
        let refusal = try answer(channel)
        #expect(refusal?.hasPrefix("HTTP/1.1 400 ") == true && refusal?.hasSuffix("\r\n\r\n") == true)
        #expect(refusal?.contains("content-length: 0\r\n") == false)
    }
}

@Suite struct LongTextTests {
    @Test(arguments: [
        ("abc", 3), ("é", 2), ("abé", 4), ("ab€", 5), ("a😀", 5),
    ] as [(String, Int)])
    func wholeCharactersStayTogether(text: String, count: Int) {
        let bytes = Array(text.utf8)
        #expect(LongText.endOfWholeCharacters(bytes[...]) == count)
        let last = text.last.map { String($0).utf8.count } ?? 0
        for cut in 1..<max(2, last) where last > 1 { #expect(LongText.endOfWholeCharacters(bytes.dropLast(cut)) == count - last) }
    }

    /// Whatever the bytes are: the pieces decode like the whole.
    @Test func aCutNeverChangesWhatIsShown() {
        var generator = SeededGenerator(seed: 5)
        let bytes: [UInt8] = [0x61, 0x80, 0xBF, 0xC3, 0xE2, 0x82, 0xAC, 0xED, 0xF0, 0x9F, 0x98, 0xF4, 0xFF]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...9, using: &generator)).map { _ in bytes.randomElement(using: &generator) ?? 0 }
            let end = LongText.endOfWholeCharacters(text[...])
            for rest in [[], [0x61], [0x80], [0xAC, 0x62]] as [[UInt8]] {
                let whole = String(decoding: text + rest, as: UTF8.self)
                let parts = String(decoding: text[..<end], as: UTF8.self) + String(decoding: text[end...] + rest, as: UTF8.self)
                #expect(Array(whole.utf8) == Array(parts.utf8), "\(text) and \(rest)")
            }
        }
    }
}

@Suite struct ReadSlotsTests {
    @Test func oneUserDoesNotTakeAllPlaces() async throws {
        let slots = ReadSlots(3, perUser: 2)
        var own = [try slots.take(for: "rina"), try slots.take(for: "rina")]
        #expect(throws: RequestError.self) { try slots.take(for: "rina") }
        await #expect(throws: RequestError.self) { try await slots.take(for: "rina", within: .milliseconds(1)) }
        let other = try slots.take(for: "agus")
        async let waiting = slots.take(for: "agus", within: .seconds(60))
        own.removeLast()
        _ = try await waiting
        withExtendedLifetime((own, other)) {}
    }


    @Test func aSlotIsFreeAgainWhenNobodyKeepsIt() throws {
        let slots = ReadSlots(2)
        let first = try slots.take()
        var second: ReadSlots.Slot? = try slots.take()
        #expect(throws: RequestError.self) { try slots.take() }
        // As after a HEAD request, whose answer's body is thrown away unsent.
        var answer: Any? = second.map { ResponseBuilder.json(.ok, .string(String(repeating: "x", count: 70_000)), keeping: $0) }
        second = nil
        #expect(throws: RequestError.self) { try slots.take() }
        _ = answer
        answer = nil
        #expect(throws: Never.self) { try slots.take() }
        withExtendedLifetime(first) {}
    }
}
