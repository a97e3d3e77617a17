import Dispatch
import Synchronization

/// Works on a disk that may hang, on a thread of its own. No caller waits longer than ``patience``.
final class BoundedDisk: Sendable {
    private let thread = DispatchQueue(label: "checkpoint-file")
    /// The number of works that are not done, and whether a caller has waited in vain.
    private let queued = Mutex((count: 0, hangs: false))
    private static let mostQueued = 100
    private static let patience: DispatchTimeInterval = .seconds(5)

    private final class Outcome<Value: Sendable>: Sendable {
        let value = Mutex<Result<Value, any Error>?>(nil)
        let isThere = DispatchSemaphore(value: 0)
    }

    /// Does the work on the disk's thread and waits for it.
    /// - Throws: what `work` throws, or ``Hanging`` where it takes too long. It is still done then, once the disk answers.
    func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) throws -> Value {
        let hangs = try queued.withLock { queued in
            guard queued.count < Self.mostQueued else { throw Hanging() }
            queued.count += 1
            return queued.hangs
        }
        let outcome = Outcome<Value>()
        thread.async { [self] in
            let result = Result { try work() }
            queued.withLock { $0 = ($0.count - 1, false) }
            outcome.value.withLock { $0 = result }
            outcome.isThere.signal()
        }
        // While the disk hangs, only the first caller waits.
        guard !hangs, outcome.isThere.wait(timeout: .now() + Self.patience) == .success, let result = outcome.value.withLock({ $0 }) else {
            queued.withLock { $0.hangs = $0.count > 0 }
            throw Hanging()
        }
        return try result.get()
    }

    struct Hanging: Error, CustomStringConvertible {
        let description = "its disk does not answer"
    }
}
