import Glibc

/// The end of processes that TERM did not end.
enum Killing {
    /// Far more looks than a chain of forks survives.
    private static let looks = 100

    /// Sends KILL to what `look` finds, and looks again at once while it finds others: a process may have forked meanwhile, and
    /// only a look without a pause meets one that forks all the time. The same processes twice are about to vanish or hang in
    /// the kernel; nothing is left to do but to wait.
    ///
    /// - Parameter mayMiss: asked when `look` found nothing. True says that a process is there all the same.
    static func kill(_ look: () -> [Int32], mayMiss: () -> Bool = { false }) {
        var before: Set<Int32> = []
        for _ in 0..<looks {
            let found = Set(look())
            if found.isEmpty {
                guard mayMiss() else { return }
            } else {
                guard found != before else { return }
                for process in found { Glibc.kill(process, SIGKILL) }
            }
            before = found
        }
    }
}
