import HTTPTypes
import Testing

@testable import HTTPServer

@Suite struct SourceAddressTests {
    private let sources = SourceAddress(trustedProxies: ["127.0.0.1", "2001:db8::9"])

    private func source(_ peer: String?, _ forwarded: String...) -> String? {
        var headers = HTTPFields()
        headers[values: .xForwardedFor] = forwarded
        return sources.of(peer: peer, headers)
    }

    @Test func aStrangerIsNotBelieved() {
        #expect(source("192.0.2.1", "198.51.100.7") == "192.0.2.1")
        #expect(source("::ffff:192.0.2.1") == "192.0.2.1")
    }

    @Test func theRightmostHopThatIsNotTrustedCounts() {
        #expect(source("127.0.0.1") == "127.0.0.1")
        #expect(source("127.0.0.1", "203.0.113.1, 198.51.100.7") == "198.51.100.7")
        #expect(source("127.0.0.1", "203.0.113.1, 198.51.100.7, 2001:DB8:0::9") == "198.51.100.7")
        #expect(source("127.0.0.1", "203.0.113.1", "198.51.100.7") == "198.51.100.7")
        #expect(source("::ffff:127.0.0.1", "198.51.100.7") == "198.51.100.7")
    }

    @Test func whatIsNoAddressEndsTheChain() {
        #expect(source("127.0.0.1", "198.51.100.7, garbage") == "127.0.0.1")
        #expect(source("127.0.0.1", "198.51.100.7, garbage, 2001:db8::9") == "2001:db8::9")
    }

    @Test func withoutAPeerThereIsNoSource() { #expect(source(nil, "198.51.100.7") == nil && source("a socket") == nil) }
}
