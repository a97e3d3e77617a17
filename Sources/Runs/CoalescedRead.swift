import Linux
import Threads

/// Lets all requests that wait at the same time share one read. A read answers only requests that came before it began; a
/// later request waits for the next read. So no answer is older than its question, unlike with a call that is joined while it
/// is in flight.
package actor CoalescedRead<Value: Sendable> {
    private let keepMilliseconds: Int64
    private let read: @Sendable () throws -> Value
    private let pool: BlockingPool
    private(set) var waiting: [CheckedContinuation<Value, any Error>] = []
    private var isReading = false
    private var last: (began: Int64, value: Value)?

    /// - Parameters:
    ///   - pool: where the read is made.
    ///   - keepMilliseconds: for how long a result answers later questions too; 0: not at all.
    ///   - read: may block; never called twice at a time.
    package init(on pool: BlockingPool, keepMilliseconds: Int64 = 0, _ read: @escaping @Sendable () throws -> Value) {
        self.pool = pool
        self.keepMilliseconds = keepMilliseconds
        self.read = read
    }

    /// - Throws: what the read threw.
    package func value() async throws -> Value {
        if let last, Clock.monotonicMilliseconds() - last.began < keepMilliseconds { return last.value }
        return try await withCheckedThrowingContinuation { continuation in
            waiting.append(continuation)
            guard !isReading else { return }
            isReading = true
            Task { await readForAll() }
        }
    }

    private func readForAll() async {
        while !waiting.isEmpty {
            var served = waiting
            waiting = []
            let began = Clock.monotonicMilliseconds()
            let result: Result<Value, any Error>
            do { result = .success(try await pool.run(read)) } catch { result = .failure(error) }
            if keepMilliseconds > 0 {
                // They have come since the read began, and would be answered with it from now on.
                if case .success(let value) = result { last = (began, value) }
                served += waiting
                waiting = []
            }
            for continuation in served { continuation.resume(with: result) }
        }
        isReading = false
    }
}
