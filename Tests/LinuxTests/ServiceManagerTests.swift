import Glibc
import TestSupport
import Testing

@testable import Linux

/// Serialised, because the environment belongs to the process.
@Suite(.serialized) struct ServiceManagerTests {
    private func with<Result>(_ name: String, _ value: String?, _ body: () throws -> Result) rethrows -> Result {
        if let value { setenv(name, value, 1) } else { unsetenv(name) }
        defer { unsetenv(name) }
        return try body()
    }

    @Test(arguments: [("20000000", 20_000_000), ("0", nil), ("-5", nil), ("", nil), ("1.5", nil), (nil, nil)] as [(String?, Int64?)])
    func theWatchdogIsAPositiveNumber(text: String?, expected: Int64?) {
        with("WATCHDOG_USEC", text) { #expect(ServiceManager.watchdogMicroseconds == expected) }
    }

    @Test func aMessageReachesTheManagersSocket() throws {
        let folder = try TemporaryFolder()
        let path = folder("notify")
        let socket = Descriptor(owning: Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket.number, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        #expect(bound == 0)
        with("NOTIFY_SOCKET", path) { ServiceManager.notify("READY=1\nSTATUS=ok") }
        var buffer = [UInt8](repeating: 0, count: 100)
        try socket.makeNonBlocking()
        let count = try #require(try socket.read(into: &buffer))
        #expect(String(decoding: buffer.prefix(count), as: UTF8.self) == "READY=1\nSTATUS=ok")
    }

    @Test(arguments: [nil, "", "relative", "/no/such/socket", "/" + String(repeating: "x", count: 200)])
    func withoutAManagerNothingHappens(path: String?) {
        with("NOTIFY_SOCKET", path) { ServiceManager.notify("READY=1") }
    }

    @Test(arguments: [(nil, nil), ("1", "1"), ("self", "0"), ("self", "2"), ("self", nil)] as [(String?, String?)])
    func onlyOneSocketForThisProcessIsTaken(pid: String?, count: String?) {
        with("LISTEN_PID", pid == "self" ? String(getpid()) : pid) {
            with("LISTEN_FDS", count) { #expect(ServiceManager.takeSocket() == nil) }
        }
    }
}
