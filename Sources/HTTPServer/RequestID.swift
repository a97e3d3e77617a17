import Encoding
import OpenSSL

/// Names one request in log and history.
package enum RequestID {
    /// 16 hex digits.
    package static func make() -> String {
        // Not a secret, so Swift's random numbers do if OpenSSL has none.
        let bytes = (try? Random.bytes(8)) ?? (0..<8).map { _ in UInt8.random(in: 0...255) }
        return Hex.text(bytes)
    }
}
