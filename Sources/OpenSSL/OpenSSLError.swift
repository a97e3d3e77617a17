/// A call into OpenSSL that failed, and why.
///
/// It contains neither keys nor data, so it may be logged. The caller decides what a client sees.
package struct OpenSSLError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The C function that failed.
    package let operation: String
    /// The error queue after the call, oldest first (ERR_get_error(3)). If we refused the arguments before the call, our own
    /// reason.
    package let reasons: [String]

    package var description: String {
        "OpenSSL: \(operation) failed: \(reasons.isEmpty ? "no reason given" : reasons.joined(separator: "; "))"
    }
}
