import NIOPosix

/// Threads for calls that block, so that they never wait on an event loop or in Swift's task pool.
struct Worker: Sendable {
    private let pool: NIOThreadPool

    /// - Parameter threads: with one, calls are made one after another in the order they came.
    init(threads: Int) {
        pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
    }

    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await pool.runIfActive(body)
    }
}
