import OpenSSL
import Synchronization

/// The context new connections are to use. Replacing it leaves those that are open alone.
public final class CurrentTLSContext: Sendable {
    private let current: Mutex<TLSContext>

    public init(_ context: TLSContext) { current = Mutex(context) }

    /// Any thread may read and replace it.
    public var value: TLSContext {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }
}
