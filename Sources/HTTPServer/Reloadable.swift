import Synchronization

/// A value that a reload (SIGHUP) may replace while requests read it. Each request keeps the value that it read.
package final class Reloadable<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    package init(_ value: Value) { self.value = Mutex(value) }

    package var current: Value { value.withLock { $0 } }

    package func replace(with new: Value) { value.withLock { $0 = new } }
}
