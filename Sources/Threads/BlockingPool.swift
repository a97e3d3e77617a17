import NIOPosix

/// Threads for calls that block, so that they never wait on an event loop or in Swift's task pool. Its owner decides the size
/// and ends it.
package struct BlockingPool: Sendable {
    private let pool: NIOThreadPool

    /// - Parameter threads: with one, calls are made one after another in the order they came.
    package init(threads: Int) {
        pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
    }

    /// Makes a call on one of the threads.
    /// - Throws: what `body` throws, or `CancellationError` once the pool was shut down or the task cancelled.
    package func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await pool.runIfActive(body)
    }
}
