import NIOPosix
import Synchronization

/// Threads for calls that block, so that those never wait on an event loop or in Swift's task pool.
///
/// Its owner decides the name and the size and calls ``shutDown()``. The threads keep a pool alive, so a pool that is only
/// dropped leaks them.
package struct BlockingPool: Sendable {
    /// What the threads are called in `/proc/PID/task/TID/comm`, with a number behind it.
    package let name: String
    private let pool: NIOThreadPool

    /// Starts the threads of a new pool.
    /// - Parameters:
    ///   - name: at most 12 bytes, because Linux cuts the names of threads after 15.
    ///   - threads: with one, calls are made one after another in the order they came.
    package static func start(_ name: String, threads: Int) -> BlockingPool {
        let pool = NIOThreadPool(numberOfThreads: threads)
        pool._start(threadNamePrefix: "\(name)-")
        return BlockingPool(name: name, pool: pool)
    }

    /// Makes a call on one of the threads and waits for it, also when the task is cancelled meanwhile.
    /// - Throws: what `body` throws, or `CancellationError` where the task was cancelled before its turn came or the pool was
    ///   shut down.
    package func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        // Not `runIfActive`: it remembers each call that is cancelled after it began, for ever.
        let cancellation = Cancellation()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                pool.submit { state in
                    guard state == .active, !cancellation.isRequested.load(ordering: .relaxed) else {
                        return continuation.resume(throwing: CancellationError())
                    }
                    continuation.resume(with: Swift.Result(catching: body))
                }
            }
        } onCancel: {
            cancellation.isRequested.store(true, ordering: .relaxed)
        }
    }

    /// Makes a call on one of the threads; returns at once.
    /// - Parameter body: gets false where the pool was shut down before the call's turn came.
    package func submit(_ body: @escaping @Sendable (_ isActive: Bool) -> Void) {
        pool.submit { body($0 == .active) }
    }

    /// Ends the threads once their present calls have returned. Calls that wait for their turn, and all later ones, are
    /// cancelled.
    /// - Parameter completion: called when the last thread has ended.
    package func shutDown(_ completion: @escaping @Sendable () -> Void) {
        pool.shutdownGracefully { _ in completion() }
    }

    /// Ends the threads and waits until the last one has ended.
    package func shutDown() async {
        await withCheckedContinuation { continuation in shutDown { continuation.resume() } }
    }

    private final class Cancellation: Sendable {
        let isRequested = Atomic(false)
    }
}
