/// A call into OpenSSL that failed: which, and why.
///
/// Holds neither keys nor data, so it may be logged. What a client is told is the caller's business.
package struct OpenSSLError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The C function that failed.
    package let operation: String
    /// The error queue as it stood behind the call, oldest first (ERR_get_error(3)), or our own reason
    /// where the arguments were refused before the call.
    package let reasons: [String]

    package var description: String {
        "OpenSSL: \(operation) failed: \(reasons.isEmpty ? "no reason given" : reasons.joined(separator: "; "))"
    }
}
