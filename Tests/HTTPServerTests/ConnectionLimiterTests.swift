import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPServer

@Suite struct ConnectionLimiterTests {
    private func channel(from address: String) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        channel.remoteAddress = try SocketAddress(ipAddress: address, port: 1)
        try channel.connect(to: SocketAddress(ipAddress: address, port: 1)).wait()
        return channel
    }

    private func admitted(_ limiter: ConnectionLimiter, from address: String, _ count: Int) throws -> [EmbeddedChannel] {
        try (0..<count).compactMap { _ in
            let channel = try channel(from: address)
            return limiter.admit(channel) ? channel : nil
        }
    }

    @Test func oneNetworkHasAHundredConnections() throws {
        let limiter = ConnectionLimiter(maximum: 1000, sources: SourceAddress(trustedProxies: []))
        let first = try admitted(limiter, from: "192.0.2.1", 101)
        #expect(first.count == 100)
        #expect(try admitted(limiter, from: "192.0.2.2", 1).count == 1)
        // An IPv6 client usually has a network of 64 bits.
        #expect(try admitted(limiter, from: "2001:db8::1", 60).count + admitted(limiter, from: "2001:db8::2", 60).count == 100)
        _ = try first[0].finish()
        #expect(try admitted(limiter, from: "192.0.2.1", 2).count == 1, "one was closed")
    }

    @Test func allTogetherHaveALimitThatHoldsForProxiesToo() throws {
        let limiter = ConnectionLimiter(maximum: 150, sources: SourceAddress(trustedProxies: ["192.0.2.9"]))
        let proxied = try admitted(limiter, from: "192.0.2.9", 200)
        #expect(proxied.count == 150)
        #expect(try admitted(limiter, from: "192.0.2.1", 1).isEmpty)
        for channel in proxied { _ = try channel.finish() }
        #expect(try admitted(limiter, from: "192.0.2.1", 1).count == 1)
    }
}
