import Testing

@testable import Linux

@Suite struct IPAddressTests {
    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::1"), ("2001:DB8:0:0::0:1", "2001:db8::1"), ("::", "::"),
        ("::ffff:192.0.2.7", "192.0.2.7"), ("::ffff:c000:207", "192.0.2.7"), ("::FFFF:192.0.2.7", "192.0.2.7"),
        ("64:ff9b::192.0.2.7", "64:ff9b::c000:207"),
    ])
    func anAddressHasOneSpelling(text: String, expected: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == expected)
        #expect(address == IPAddress(expected))
    }

    @Test(arguments: [
        "", " ", "192.0.2", "192.0.2.256", "192.0.2.07", "192.0.2.7 ", "192.0.2.7:80", "0x7f.0.0.1", "[::1]", "::1%lo", "1::2::3", ":::", "12345::",
        "::ffff:192.0.2", "localhost", "1:2:3:4:5:6:7:8:9",
    ])
    func otherTextsAreNoAddress(text: String) {
        #expect(IPAddress(text) == nil)
        #expect(IPAddress.network(of: text) == text)
    }

    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1"), ("2001:0db8::1", "2001:db8:0:0"),
        ("::1", "0:0:0:0"), ("fe80::abcd", "fe80:0:0:0"),
    ])
    func theNetworkIsTheAddressOrItsSlash64(text: String, expected: String) {
        #expect(IPAddress.network(of: text) == expected)
    }

    @Test func allAddressesOfASlash64HaveOneNetwork() {
        #expect(IPAddress.network(of: "2001:db8:0:1::") == IPAddress.network(of: "2001:DB8::1:ffff:ffff:ffff:ffff"))
        #expect(IPAddress.network(of: "2001:db8:0:1::") != IPAddress.network(of: "2001:db8:0:2::"))
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.255.255.254", true), ("::1", true), ("::ffff:127.0.0.1", true), ("128.0.0.1", false), ("::2", false),
        ("::", false),
        ("1::1", false), ("0.0.0.0", false),
    ])
    func loopbackIsKnown(text: String, expected: Bool) {
        #expect(IPAddress(text)?.isLoopback == expected)
    }
}
