import Glibc

/// The end of processes that TERM did not end.
enum Killing {
    /// Far more looks than a chain of forks survives.
    private static let looks = 100

    /// Sends KILL to what `look` finds, at once again while it finds others: a process may have forked while we looked, and
    /// one that forks all the time is only met by a look without a pause. The same processes twice are about to vanish, or
    /// hang in the kernel; for these there is nothing to do but to wait.
    static func kill(_ look: () -> [Int32]) {
        var before: Set<Int32> = []
        for _ in 0..<looks {
            let found = Set(look())
            guard !found.isEmpty, found != before else { return }
            for process in found { Glibc.kill(process, SIGKILL) }
            before = found
        }
    }
}
