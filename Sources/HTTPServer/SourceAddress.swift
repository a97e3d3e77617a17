import HTTPFraming
import Linux

/// Finds the address of a request's client, also behind trusted proxies.
package struct SourceAddress: Sendable {
    /// The addresses whose X-Forwarded-For is believed (TRUSTED_PROXIES).
    private let trusted: Set<IPAddress>

    package init(trustedProxies: [String]) {
        trusted = Set(trustedProxies.compactMap { IPAddress($0) })
    }

    func isTrusted(_ peer: IPAddress) -> Bool { trusted.contains(peer) }

    /// The other end of a connection.
    package struct Peer: Sendable {
        /// nil without an IP address.
        fileprivate let text: String?
        fileprivate let isTrusted: Bool
    }

    /// - Parameter address: the address at the other end of a connection, as text.
    package func peer(_ address: String?) -> Peer {
        let address = address.flatMap { IPAddress($0) }
        return Peer(text: address?.description, isTrusted: address.map(isTrusted) ?? false)
    }

    /// The rightmost hop that is not a trusted proxy. Everything left of it may be forged.
    /// - Returns: nil if `peer` has no IP address.
    package func of(_ peer: Peer, _ fields: RequestFields) -> String? {
        guard peer.isTrusted else { return peer.text }
        var hops: [Substring] = []
        for value in fields.values(of: "x-forwarded-for") { hops += value.split(separator: ",") }
        var source = peer.text
        for hop in hops.reversed() {
            guard let address = IPAddress(String(hop).trimmed()) else { break }
            source = address.description
            if !isTrusted(address) { break }
        }
        return source
    }
}
