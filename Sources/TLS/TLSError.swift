import OpenSSL

/// Why a TLS connection ended without close_notify on both sides (RFC 8446, 6.1).
///
/// It contains nothing that the peer sent, so it may be logged.
package enum TLSError: Error, Sendable, Equatable {
    /// The peer does not speak TLS, has none of our versions, ciphers or protocols, or sent damaged bytes.
    case handshakeFailed(OpenSSLError)
    case handshakeTimedOut
    /// The peer left before the handshake was complete.
    case closedDuringHandshake
    /// The connection ended without close_notify. An attacker may have cut it, in the middle of the last request too.
    case truncated
    /// After the handshake, the peer sent a record that is forged or breaks the protocol.
    case failed(OpenSSLError)
    /// The peer did not take our last bytes and close_notify, or did not answer it.
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
