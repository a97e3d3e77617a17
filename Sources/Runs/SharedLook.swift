import Linux
import Threads

/// Lets everyone who asks at the same time share one look. A look answers only those who asked before it began; who asks
/// later waits for the next one, so that no answer is older than its question.
package actor SharedLook<Value: Sendable> {
    private let keepMilliseconds: Int64
    private let look: @Sendable () throws -> Value
    private let pool: BlockingPool
    private(set) var waiting: [CheckedContinuation<Value, any Error>] = []
    private var isLooking = false
    private var last: (began: Int64, value: Value)?

    /// - Parameters:
    ///   - pool: where the look is made.
    ///   - keepMilliseconds: for how long a result answers later questions too; 0: not at all.
    ///   - look: may block; never called twice at a time.
    package init(on pool: BlockingPool, keepMilliseconds: Int64 = 0, _ look: @escaping @Sendable () throws -> Value) {
        self.pool = pool
        self.keepMilliseconds = keepMilliseconds
        self.look = look
    }

    /// - Throws: what the look threw.
    package func value() async throws -> Value {
        if let last, Clock.monotonicMilliseconds() - last.began < keepMilliseconds { return last.value }
        return try await withCheckedThrowingContinuation { continuation in
            waiting.append(continuation)
            guard !isLooking else { return }
            isLooking = true
            Task { await lookForAll() }
        }
    }

    private func lookForAll() async {
        while !waiting.isEmpty {
            var served = waiting
            waiting = []
            let began = Clock.monotonicMilliseconds()
            let result: Result<Value, any Error>
            do { result = .success(try await pool.run(look)) } catch { result = .failure(error) }
            if keepMilliseconds > 0 {
                if case .success(let value) = result { last = (began, value) }
                served += waiting
                waiting = []
            }
            for continuation in served { continuation.resume(with: result) }
        }
        isLooking = false
    }
}
