import COpenSSL

/// OpenSSL's error queue of the current thread (ERR_get_error(3)).
///
/// Clear it before every call. Otherwise the errors of an earlier call would be reported as the reason of a later failure, and
/// SSL_get_error(3) would even decide by them. Nothing between clearing and draining may suspend, because a task may continue
/// on another thread.
enum ErrorQueue {
    static func clear() {
        ERR_clear_error()
    }

    /// Empties the queue.
    /// - Returns: the reasons, oldest first.
    static func drain() -> [String] {
        var reasons: [String] = []
        var code = ERR_get_error()
        while code != 0 {
            var text = [CChar](repeating: 0, count: 256)
            ERR_error_string_n(code, &text, text.count)
            reasons.append(String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
            code = ERR_get_error()
        }
        return reasons
    }

    /// The error of the call that just failed.
    static func failure(of operation: String) -> OpenSSLError {
        OpenSSLError(operation: operation, reasons: drain())
    }
}
