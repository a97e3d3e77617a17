import Dispatch
import SQLite
import Synchronization

/// Mutates a value on a background queue, one step after another, while the caller prepares the next step. At most one step
/// waits, so that memory stays bounded. For one calling thread.
final class BackgroundStage<Value>: Sendable {
    private let value: Mutex<Value>
    private let failure = Mutex<(any Error)?>(nil)
    private let queue = DispatchQueue(label: "background-stage")
    private let room = DispatchSemaphore(value: 2)

    init(_ value: consuming sending Value) { self.value = Mutex(value) }

    /// Queues a step. Returns at once, or, while another step waits, when that one begins.
    /// - Throws: what an earlier step threw; steps behind it are not done.
    func begin(_ step: @escaping @Sendable (inout Value) throws -> Void) throws {
        room.wait()
        queue.async { [self] in
            defer { room.signal() }
            guard failure.withLock({ $0 == nil }) else { return }
            do { try value.withLock { try step(&$0) } } catch { failure.withLock { $0 = error } }
        }
        try rethrow()
    }

    /// - Returns: what `body` returns when all steps are done.
    func wait<Result: Sendable>(_ body: (inout Value) throws -> Result) throws -> Result {
        queue.sync {}
        try rethrow()
        return try value.withLock { try body(&$0) }
    }

    private func rethrow() throws {
        if let error = failure.withLock({ $0 }) { throw error }
    }
}
