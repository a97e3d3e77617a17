import OpenSSL
import Synchronization

/// The context of new connections. Replacing it does not affect open connections.
package final class CurrentTLSContext: Sendable {
    private let current: Mutex<TLSContext>

    package init(_ context: TLSContext) { current = Mutex(context) }

    /// Any thread may read and replace it.
    package var value: TLSContext {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }
}
