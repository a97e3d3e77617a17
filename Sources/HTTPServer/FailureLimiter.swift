import Linux
import Synchronization

/// Counts refused tokens by address. Guessing a token is hopeless anyway; this keeps guessing from filling log and CPU.
/// A valid token passes whatever its neighbours behind the same address do.
final class FailureLimiter: Sendable {
    private static let allowed = 10
    private static let windowMilliseconds: Int64 = 60_000
    /// Bounds the memory an attacker with many addresses can take.
    private static let maximumAddresses = 4096

    private struct Window {
        var failures: Int
        let ends: Int64
    }

    private let windows = Mutex<[String: Window]>([:])

    /// Counts one failure.
    /// - Returns: how many seconds to wait, where there were too many; nil otherwise.
    func recordFailure(from address: String?, now: Int64 = Clock.monotonicMilliseconds()) -> Int64? {
        let key = IPAddress.network(of: address ?? "")
        return windows.withLock { windows in
            if windows.count >= Self.maximumAddresses && windows[key] == nil {
                windows = windows.filter { $0.value.ends > now }
                // Still full: the one that ends first goes, so that a flood of addresses cannot shield one of them for long.
                if windows.count >= Self.maximumAddresses, let first = windows.min(by: { $0.value.ends < $1.value.ends }) {
                    windows[first.key] = nil
                }
            }
            var window = windows[key].flatMap { $0.ends > now ? $0 : nil } ?? Window(failures: 0, ends: now + Self.windowMilliseconds)
            window.failures += 1
            windows[key] = window
            return window.failures > Self.allowed ? (window.ends - now + 999) / 1000 : nil
        }
    }
}
