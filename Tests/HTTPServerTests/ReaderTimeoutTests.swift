import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPServer

@Suite struct ReaderTimeoutTests {
    private let timeout = ReaderTimeout()

    private func opened() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    /// Writes that the kernel takes are progress. A client is disconnected after a minute without any.
    @Test func aReaderHasAMinuteWithoutProgress() throws {
        let channel = try opened()
        for _ in 0..<10 {
            timeout.writeWaits(on: channel)
            channel.embeddedEventLoop.advanceTime(by: .seconds(50))
            timeout.writeEnded()
            #expect(channel.isActive)
        }
        timeout.writeWaits(on: channel)
        channel.embeddedEventLoop.advanceTime(by: .seconds(59))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
    }

    @Test func aClientThatHasReadItsAnswerIsLeftAlone() throws {
        let channel = try opened()
        timeout.writeWaits(on: channel)
        timeout.writeEnded()
        channel.embeddedEventLoop.advanceTime(by: .hours(1))
        #expect(channel.isActive)
    }
}
