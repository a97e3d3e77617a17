import OpenSSL
import Synchronization

/// The context new connections are to use. Replacing it leaves those that are open alone.
package final class CurrentTLSContext: Sendable {
    private let current: Mutex<TLSContext>

    package init(_ context: TLSContext) { current = Mutex(context) }

    /// Any thread may read and replace it.
    package var value: TLSContext {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }
}
