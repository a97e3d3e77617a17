import JSON
import Linux
import OpenSSL

/// Facts about the machine, and numbers made on it.
enum Machine {
    /// The kernel's name for the time since the last boot; nil where it does not tell.
    static func bootID() -> String? {
        guard let bytes = try? Files.read("/proc/sys/kernel/random/boot_id", limit: 64) else { return nil }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    static func hex(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(2 * bytes.count)
        for byte in bytes {
            text.append(hexDigits[Int(byte >> 4)])
            text.append(hexDigits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    static let hexDigits = Array("0123456789abcdef".utf8)

    /// Whether the kernel believes its clock to be synchronised, and how far off it may be (adjtimex(2)).
    static func clockFacts() -> [JSON.Member] {
        guard let state = Clock.synchronisation() else { return [.init("clock_synchronised", .null)] }
        return [
            .init("clock_synchronised", .bool(state.synchronised)), .init("clock_error_us", .integer(state.maximumErrorMicroseconds)),
        ]
    }

    /// 16 hex digits that name one request.
    static func newRequestID() -> String {
        // Not a secret: where OpenSSL has no random bytes, Swift's serve.
        let bytes = (try? Random.bytes(8)) ?? (0..<8).map { _ in UInt8.random(in: 0...255) }
        return hex(bytes)
    }
}
