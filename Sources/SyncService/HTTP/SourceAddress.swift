import HTTPTypes
import NIOCore

/// Where a request really comes from, behind proxies that are trusted to say so.
struct SourceAddress: Sendable {
    /// Addresses whose X-Forwarded-For counts.
    private let trusted: Set<String>

    init(trustedProxies: [String]) {
        trusted = Set(trustedProxies.compactMap(Self.normal))
    }

    func isTrusted(_ peer: String) -> Bool { Self.normal(peer).map(trusted.contains) ?? false }

    /// The rightmost hop that is not itself a trusted proxy: everything left of it was written by strangers.
    /// - Parameter peer: the other end of the connection.
    func of(peer: String?, _ headers: HTTPFields) -> String? {
        guard let peer = peer.map({ Self.normal($0) ?? $0 }), isTrusted(peer) else { return peer.flatMap(Self.normal) }
        var hops: [Substring] = []
        for value in headers[values: .xForwardedFor] { hops += value.split(separator: ",") }
        var source = peer
        for hop in hops.reversed() {
            guard let address = Self.normal(String(hop).trimmed()) else { return source }
            source = address
            if !trusted.contains(address) { return source }
        }
        return source
    }

    /// One spelling for each address; nil where the text is none.
    static func normal(_ text: String) -> String? {
        guard let address = try? NIOCore.SocketAddress(ipAddress: text, port: 0), let plain = address.ipAddress else { return nil }
        // A socket that takes both families shows IPv4 peers so.
        return plain.hasPrefix("::ffff:") && plain.contains(".") ? String(plain.dropFirst(7)) : plain
    }

    /// Who has one IPv6 address has its whole /64.
    static func network(of address: String) -> String {
        guard address.contains(":") else { return address }
        let halves = address.components(separatedBy: "::")
        let head = halves[0].split(separator: ":")
        let tail = halves.count > 1 ? halves[1].split(separator: ":") : []
        let zeros = Array(repeating: Substring("0"), count: max(0, 8 - head.count - tail.count))
        return (head + zeros + tail).prefix(4).joined(separator: ":")
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [String] {
        guard let range = firstRange(of: separator) else { return [self] }
        return [String(self[..<range.lowerBound]), String(self[range.upperBound...])]
    }
}

extension HTTPField.Name {
    static let xForwardedFor = HTTPField.Name("X-Forwarded-For") ?? .via
}
