import Linux
import Synchronization
import Threads

/// Lets all requests that wait at the same time share one read. A read answers only requests that came before it began; a
/// later request waits for the next read. So no answer is older than its question, unlike with a call that is joined while it
/// is in flight.
package final class CoalescedRead<Value: Sendable>: Sendable {
    /// Called on the thread that read, and so must not block.
    package typealias Completion = @Sendable (Result<Value, any Error>) -> Void

    private struct State {
        var waiting: [Completion] = []
        var isReading = false
        var last: (began: Int64, value: Value)?
    }

    private let keepMilliseconds: Int64
    private let read: @Sendable () throws -> Value
    private let pool: BlockingPool
    private let state = Mutex(State())

    /// - Parameters:
    ///   - pool: where the read is made.
    ///   - keepMilliseconds: for how long a result answers later questions too; 0: not at all.
    ///   - read: may block; never called twice at a time.
    package init(on pool: BlockingPool, keepMilliseconds: Int64 = 0, _ read: @escaping @Sendable () throws -> Value) {
        self.pool = pool
        self.keepMilliseconds = keepMilliseconds
        self.read = read
    }

    /// How many wait for a read that has not begun.
    var waiting: Int { state.withLock { $0.waiting.count } }

    /// Returns at once; `completion` gets what the read returned or threw, or `CancellationError` where the pool was shut down.
    package func value(_ completion: @escaping Completion) {
        let (kept, begins) = state.withLock { state -> (Value?, Bool) in
            if let last = state.last, Clock.monotonicMilliseconds() - last.began < keepMilliseconds { return (last.value, false) }
            state.waiting.append(completion)
            defer { state.isReading = true }
            return (nil, !state.isReading)
        }
        if let kept { return completion(.success(kept)) }
        if begins { pool.submit { self.readForAll(isActive: $0) } }
    }

    /// - Throws: as ``value(_:)``.
    package func value() async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in value { continuation.resume(with: $0) } }
    }

    private func readForAll(isActive: Bool) {
        while true {
            let served = state.withLock { state -> [Completion] in
                defer { state.waiting = [] }
                if state.waiting.isEmpty { state.isReading = false }
                return state.waiting
            }
            guard !served.isEmpty else { return }
            let began = Clock.monotonicMilliseconds()
            let result = isActive ? Result(catching: read) : .failure(CancellationError())
            for completion in served { completion(result) }
            if keepMilliseconds > 0, case .success(let value) = result { keep(value, from: began) }
        }
    }

    /// Answers those who have come since the read began: they would be answered with it from now on.
    private func keep(_ value: Value, from began: Int64) {
        let served = state.withLock { state -> [Completion] in
            state.last = (began, value)
            defer { state.waiting = [] }
            return state.waiting
        }
        for completion in served { completion(.success(value)) }
    }
}
