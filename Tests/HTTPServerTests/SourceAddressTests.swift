import HTTPFraming
import Testing

@testable import HTTPServer

@Suite struct SourceAddressTests {
    private let sources = SourceAddress(trustedProxies: ["127.0.0.1", "2001:db8::9"])

    private func source(_ peer: String?, _ forwarded: String...) throws -> String? {
        var requests = RequestGatherer(keepsBody: { _ in false })
        let lines = forwarded.map { "X-Forwarded-For: \($0)\r\n" }.joined()
        requests.append("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n".utf8)
        guard case .complete(let request)? = try requests.next() else { return nil }
        return sources.of(sources.peer(peer), request.fields)
    }

    @Test func aStrangerIsNotBelieved() throws {
        #expect(try source("192.0.2.1", "198.51.100.7") == "192.0.2.1")
        #expect(try source("::ffff:192.0.2.1") == "192.0.2.1")
    }

    @Test func theRightmostHopThatIsNotTrustedCounts() throws {
        #expect(try source("127.0.0.1") == "127.0.0.1")
        #expect(try source("127.0.0.1", "203.0.113.1, 198.51.100.7") == "198.51.100.7")
        #expect(try source("127.0.0.1", "203.0.113.1, 198.51.100.7, 2001:DB8:0::9") == "198.51.100.7")
        #expect(try source("127.0.0.1", "203.0.113.1", "198.51.100.7") == "198.51.100.7")
        #expect(try source("::ffff:127.0.0.1", "198.51.100.7") == "198.51.100.7")
    }

    @Test func whatIsNoAddressEndsTheChain() throws {
        #expect(try source("127.0.0.1", "198.51.100.7, garbage") == "127.0.0.1")
        #expect(try source("127.0.0.1", "198.51.100.7, garbage, 2001:db8::9") == "2001:db8::9")
    }

    @Test func withoutAPeerThereIsNoSource() throws { #expect(try source(nil, "198.51.100.7") == nil && source("a socket") == nil) }
}
