import OpenSSL

/// Why a TLS connection ended otherwise than by close_notify on both sides (RFC 8446, 6.1).
///
/// Holds nothing the peer sent, so it may be logged.
package enum TLSError: Error, Sendable, Equatable {
    /// No TLS, none of our versions or ciphers, no common protocol, or damaged.
    case handshakeFailed(OpenSSLError)
    case handshakeTimedOut
    /// The peer left before the handshake was complete.
    case closedDuringHandshake
    /// The connection ended without close_notify: whoever cut it could have cut the last request as well.
    case truncated
    /// A record that is forged or breaks the protocol, after the handshake.
    case failed(OpenSSLError)
    /// The peer took neither our last bytes nor our close_notify, or did not answer it.
    case shutdownTimedOut
}

extension TLSError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .handshakeFailed(let error): "TLS handshake failed: \(error)"
        case .handshakeTimedOut: "TLS handshake not complete in time"
        case .closedDuringHandshake: "connection closed during the TLS handshake"
        case .truncated: "connection closed without close_notify"
        case .failed(let error): "TLS connection failed: \(error)"
        case .shutdownTimedOut: "TLS connection not closed by the peer in time"
        }
    }
}
