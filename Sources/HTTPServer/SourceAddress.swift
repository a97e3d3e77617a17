import HTTPTypes
import Linux

/// Where a request really comes from, behind proxies that are trusted to say so.
package struct SourceAddress: Sendable {
    /// Addresses whose X-Forwarded-For counts.
    private let trusted: Set<IPAddress>

    package init(trustedProxies: [String]) {
        trusted = Set(trustedProxies.compactMap { IPAddress($0) })
    }

    func isTrusted(_ peer: IPAddress) -> Bool { trusted.contains(peer) }

    /// The rightmost hop that is not itself a trusted proxy: everything left of it was written by strangers.
    /// - Parameter peer: the other end of the connection.
    package func of(peer: String?, _ headers: HTTPFields) -> String? {
        guard let peer = peer.flatMap({ IPAddress($0) }) else { return nil }
        guard isTrusted(peer) else { return peer.description }
        var hops: [Substring] = []
        for value in headers[values: .xForwardedFor] { hops += value.split(separator: ",") }
        var source = peer
        for hop in hops.reversed() {
            guard let address = IPAddress(String(hop).trimmed()) else { break }
            source = address
            if !isTrusted(address) { break }
        }
        return source.description
    }
}

extension HTTPField.Name {
    static let xForwardedFor = HTTPField.Name("X-Forwarded-For") ?? .via
}
