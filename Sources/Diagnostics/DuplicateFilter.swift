import Synchronization

/// Suppresses consecutive duplicate messages.
package final class DuplicateFilter: Sendable {
    private let last = Mutex<String?>(nil)

    package init() {}

    /// - Parameter text: nil where there is nothing to report; the next message is new then.
    /// - Returns: whether the text differs from the last one.
    package func isNew(_ text: String?) -> Bool {
        last.withLock { last in
            defer { last = text }
            return last != text
        }
    }
}
