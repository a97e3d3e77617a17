import NIOCore
import NIOEmbedded
import Testing

@testable import OpenSSL
@testable import TLS

@Suite struct TLSHandlerDeadlineTests {
    @Test func aHandshakeThatTakesTooLong() throws {
        let server = try TestServer()
        _ = try server.client.connection.handshake()
        let hello = server.client.connection.take()
        try server.receive(Array(hello.dropLast()))
        server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(9999))
        #expect(server.recorder.entries.isEmpty)
        server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(server.recorder.entries == [.error(.handshakeTimedOut), .inactive])
    }

    @Test func aConnectionThatSaysNothing() throws {
        let server = try TestServer()
        server.channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        #expect(server.recorder.entries == [.error(.handshakeTimedOut), .inactive])
        #expect(server.socket.closes == 1)
    }

    @Test func aCompleteHandshakeHasNoDeadline() throws {
        let server = try TestServer()
        try server.handshake()
        server.channel.embeddedEventLoop.advanceTime(by: .hours(1))
        #expect(server.recorder.entries == [.handshake])
    }

    @Test func aPeerThatDoesNotAnswerCloseNotify() throws {
        let server = try TestServer()
        try server.handshake()
        let closed = Outcome(server.channel)
        server.channel.close(promise: closed.promise)
        #expect(try server.answer().end == .closed)
        #expect(server.socket.isOutputClosed)
        server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(4999))
        #expect(closed.isPending && server.socket.closes == 0)
        server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(closed.succeeded && server.socket.closes == 1)
        #expect(server.recorder.events == [.handshake, .inactive])
    }

    @Test func aPeerThatAnswersIsNotWaitedFor() throws {
        let server = try TestServer()
        try server.handshake()
        let closed = Outcome(server.channel)
        server.channel.close(promise: closed.promise)
        #expect(try server.answer().end == .closed)
        try server.client.connection.shutdown()
        try server.exchange()
        #expect(closed.succeeded && server.socket.closes == 1)
        server.channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        #expect(server.socket.closes == 1)
    }

    /// A service that stops does not wait for those who are only connected.
    @Test func whoClosesToldToQuiesceWaitsForNobody() throws {
        let server = try TestServer()
        try server.handshake()
        let closed = Outcome(server.channel)
        server.recorder.onQuiescing = { $0.close(promise: closed.promise) }
        server.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        #expect(try server.answer().end == .closed)
        #expect(closed.succeeded && server.socket.closes == 1)
    }

    /// An answer that was under way when the service was told to stop is not endangered by a reset.
    @Test func whoClosesLaterIsWaitedForAsEver() throws {
        let server = try TestServer()
        try server.handshake()
        server.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        server.channel.close(promise: nil)
        #expect(try server.answer().end == .closed)
        #expect(server.socket.isOutputClosed && server.socket.closes == 0)
    }

    @Test func aClosedOutputIsNotAwaitedForEver() throws {
        let server = try TestServer()
        try server.handshake()
        let closed = Outcome(server.channel)
        server.channel.close(mode: .output, promise: closed.promise)
        #expect(closed.succeeded && server.socket.closes == 0)
        server.channel.embeddedEventLoop.advanceTime(by: .seconds(5))
        #expect(server.socket.closes == 1)
    }
}
