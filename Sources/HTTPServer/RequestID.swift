import Encoding
import OpenSSL

/// The name of one request in log and history.
package enum RequestID {
    /// 16 hex digits.
    package static func make() -> String {
        // Not a secret: where OpenSSL has no random bytes, Swift's serve.
        let bytes = (try? Random.bytes(8)) ?? (0..<8).map { _ in UInt8.random(in: 0...255) }
        return Hex.text(bytes)
    }
}
