import Synchronization

/// Bounds what all connections together hold of requests that are not complete. Each connection may hold a small part
/// without asking, so that a flood of large requests does not keep out the usual ones.
package final class RequestMemory: Sendable {
    /// Enough for the head of a browser's request with its token.
    package static let freeBytes = 4096

    private let maximum: Int
    private let used = Mutex(0)

    /// - Parameter maximum: bytes over all connections, beyond the free part of each.
    package init(maximum: Int) { self.maximum = maximum }

    /// Changes what one connection holds. Less is always granted.
    /// - Returns: false where there is no room; then nothing has changed.
    func change(from old: Int, to new: Int) -> Bool {
        let growth = max(0, new - Self.freeBytes) - max(0, old - Self.freeBytes)
        return used.withLock { used in
            guard growth <= 0 || used + growth <= maximum else { return false }
            used += growth
            return true
        }
    }
}
