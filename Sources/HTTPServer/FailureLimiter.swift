import Linux
import Synchronization

/// Counts refused tokens by client network. Guessing a token is hopeless, but guesses must not fill the log and the
/// processor. Valid tokens from the same network still pass.
final class FailureLimiter: Sendable {
    static let allowed = 10
    static let windowMilliseconds: Int64 = 60_000
    /// Limits the memory that an attacker with many addresses can take.
    static let maximumNetworks = 4096

    private struct Window {
        var failures: Int
        let ends: Int64
    }

    private let windows = Mutex<[String: Window]>([:])

    /// How many networks are counted at present.
    var count: Int { windows.withLock { $0.count } }

    /// Counts one failure.
    /// - Parameter now: milliseconds of the monotonic clock.
    /// - Returns: after too many failures, how many seconds the client must wait; nil otherwise.
    func recordFailure(from address: String?, now: Int64 = Clock.monotonicMilliseconds()) -> Int64? {
        let network = IPAddress.network(of: address ?? "")
        return windows.withLock { windows in
            if windows.count >= Self.maximumNetworks && windows[network] == nil {
                windows = windows.filter { $0.value.ends > now }
                // Still full: drop the window that ends first, so that a flood of addresses cannot protect one of them for long.
                if windows.count >= Self.maximumNetworks, let first = windows.min(by: { $0.value.ends < $1.value.ends }) {
                    windows[first.key] = nil
                }
            }
            var window = windows[network].flatMap { $0.ends > now ? $0 : nil } ?? Window(failures: 0, ends: now + Self.windowMilliseconds)
            window.failures += 1
            windows[network] = window
            return window.failures > Self.allowed ? (window.ends - now + 999) / 1000 : nil
        }
    }
}
