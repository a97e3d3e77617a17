import Glibc

/// An IPv4 or IPv6 address. All spellings of an address give the same value.
package struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    private static let mappedPrefix: [UInt8] = Array(repeating: 0, count: 10) + [0xff, 0xff]

    /// Four or sixteen bytes, in network order.
    private let bytes: [UInt8]

    /// - Parameter text: an address without brackets, port and zone. An IPv4 address mapped into IPv6 gives the IPv4 address,
    ///   because a socket for both families shows IPv4 peers that way.
    /// - Returns: nil if the text is no address.
    package init?(_ text: String) {
        if let bytes = Self.parse(text, AF_INET, 4) {
            self.bytes = bytes
        } else if let bytes = Self.parse(text, AF_INET6, 16) {
            self.bytes = bytes.starts(with: Self.mappedPrefix) ? Array(bytes.suffix(4)) : bytes
        } else {
            return nil
        }
    }

    private static func parse(_ text: String, _ family: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }

    /// As the kernel writes it (inet_ntop(3)).
    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count)) != nil else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Whether only this machine can reach it.
    package var isLoopback: Bool { bytes.count == 4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1 }

    /// The addresses that belong to one client: the IPv4 address itself, or the first four groups of an IPv6 address, because
    /// the holder of one IPv6 address has its whole /64.
    package var network: String {
        guard bytes.count == 16 else { return description }
        return (0..<4).map { String(UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]), radix: 16) }.joined(separator: ":")
    }

    /// ``network`` of an address in text form; a text that is no address is its own network.
    package static func network(of text: String) -> String { IPAddress(text)?.network ?? text }
}
