import Testing

@testable import HTTPServer

@Suite struct AllowedHostsTests {
    private let hosts = AllowedHosts(["Sync.example", "192.0.2.7", "2001:db8::7"])

    @Test(arguments: [
        "localhost", "LOCALHOST:8000", "127.0.0.1", "[::1]", "[::1]:8443", "sync.example", "SYNC.EXAMPLE:1", "192.0.2.7:", "[2001:DB8::7]",
    ])
    func ownNamesAreAllowed(host: String) { #expect(hosts.allow(host)) }

    @Test(arguments: [
        "", "evil.example", "sync.example.evil", "a.sync.example", "sync.example.", "sync.example:x", "sync.example:123456", "sync.example:80:80",
        "::1", "[::1", "[::1]x", "[::1]8", "2001:db8::7", "\u{212a}ync.example", "localho\u{17f}t", "127.1", "*",
    ])
    func otherNamesAreNot(host: String) { #expect(!hosts.allow(host)) }

    @Test func aRequestWithoutHostIsAllowed() { #expect(hosts.allow(nil)) }

    @Test(arguments: [
        ("[2001:db8::7]:443", "write 2001:db8::7, without brackets and port"), ("sync.example:443", "write sync.example: the port does not count"),
        (":443", "write a name or an address in front of the port"),
    ])
    func aNameThatNoHostMatchesIsExplained(name: String, fix: String) { #expect(AllowedHosts.fix(for: name) == fix) }

    @Test(arguments: ["https://sync.example", "*.example", "b\u{fc}ro.example", "a b"])
    func namesInAnotherFormAreExplained(name: String) { #expect(AllowedHosts.fix(for: name) != nil) }

    @Test(arguments: ["sync.example", "192.0.2.7", "2001:db8::7", "xn--bro-hoa.example"])
    func goodNamesNeedNoFix(name: String) { #expect(AllowedHosts.fix(for: name) == nil) }
}
