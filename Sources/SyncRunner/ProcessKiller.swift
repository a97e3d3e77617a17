import Glibc

/// Sends KILL to processes that TERM did not end.
enum ProcessKiller {
    /// No chain of forks outlives so many rounds.
    private static let rounds = 100

    /// Sends KILL to the processes that `find` returns, until it returns none, or the same ones twice.
    ///
    /// A process may fork meanwhile. Only rounds without a pause catch one that forks all the time. Processes that are found
    /// twice are about to vanish or hang in the kernel; then there is nothing to do but wait.
    ///
    /// - Parameters:
    ///   - find: looks for the processes.
    ///   - mayMiss: asked if `find` returned none. True means that there is a process all the same.
    ///   - send: kills a process.
    static func kill(
        _ find: () -> [Int32], mayMiss: () -> Bool = { false }, send: (Int32) -> Void = { _ = Glibc.kill($0, SIGKILL) }
    ) {
        var before: Set<Int32> = []
        for _ in 0..<rounds {
            let found = Set(find())
            if found.isEmpty {
                guard mayMiss() else { return }
            } else {
                guard found != before else { return }
                found.forEach(send)
            }
            before = found
        }
    }
}
