import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPServer

@Suite struct ReaderTimeoutTests {
    private func opened() throws -> (EmbeddedChannel, ReaderTimeout) {
        let timeout = ReaderTimeout()
        let channel = EmbeddedChannel(handler: timeout)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return (channel, timeout)
    }

    /// Writes that the socket takes are progress. A client is disconnected after a minute without any.
    @Test func aReaderHasAMinuteWithoutProgress() throws {
        let (channel, _) = try opened()
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

    @Test func aSmallAnswerMustBeReadAsWell() throws {
        let (channel, timeout) = try opened()
        timeout.answerEnding()
        channel.embeddedEventLoop.advanceTime(by: .seconds(59))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
    }

    @Test func aClientThatHasReadItsAnswerIsLeftAlone() throws {
        let (channel, timeout) = try opened()
        timeout.answerEnding()
        timeout.answerWritten()
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        channel.embeddedEventLoop.advanceTime(by: .hours(1))
        #expect(channel.isActive)
    }

    /// The rest of the answer is in our buffer, so a writable channel says nothing about the client.
    @Test func anAnswerThatIsHandedOverIsWatchedUntilItIsWritten() throws {
        let (channel, timeout) = try opened()
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        timeout.answerEnding()
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(!channel.isActive)
    }
}
