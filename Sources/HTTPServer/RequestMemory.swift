import Synchronization

/// Limits how much memory the unfinished requests of all connections take together. Each connection has a small part of
/// its own, so that a flood of large requests does not keep out ordinary ones.
package final class RequestMemory: Sendable {
    /// The part of each connection. It holds the head of a browser's request with its token.
    package static let freeBytes = 4096

    private let maximum: Int
    private let used = Mutex(0)

    /// - Parameter maximum: bytes of all connections together, without the part that each has of its own.
    package init(maximum: Int) { self.maximum = maximum }

    /// Changes how much one connection holds. A reduction always succeeds.
    /// - Returns: false if there is no room; nothing has changed then.
    func change(from old: Int, to new: Int) -> Bool {
        let growth = max(0, new - Self.freeBytes) - max(0, old - Self.freeBytes)
        return used.withLock { used in
            guard growth <= 0 || used + growth <= maximum else { return false }
            used += growth
            return true
        }
    }
}
