import COpenSSL

/// Comparison of secrets.
package enum ConstantTime {
    /// Whether both have the same bytes. The time does not depend on where they differ (CRYPTO_memcmp(3)). The lengths are not
    /// secret.
    package static func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
    }
}
