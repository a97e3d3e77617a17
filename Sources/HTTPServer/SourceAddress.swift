import HTTPTypes
import Linux

/// Finds the address of a request's client, also behind trusted proxies.
package struct SourceAddress: Sendable {
    /// The addresses whose X-Forwarded-For is believed (TRUSTED_PROXIES).
    private let trusted: Set<IPAddress>

    package init(trustedProxies: [String]) {
        trusted = Set(trustedProxies.compactMap { IPAddress($0) })
    }

    func isTrusted(_ peer: IPAddress) -> Bool { trusted.contains(peer) }

    /// The rightmost hop that is not a trusted proxy. Everything left of it may be forged.
    /// - Parameter peer: the address at the other end of the connection.
    /// - Returns: nil if `peer` is not an IP address.
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
