import Synchronization

/// Whether a store may write, and why not.
///
/// The two values have a lock each. Neither lock is held while the other, or the store's writer, is taken.
final class WritePermission: Sendable {
    /// The audit log is damaged, is not the one that is pinned, or is not the newest one.
    struct Refusal: Sendable {
        /// For a person; it says what to do.
        let problem: String
        /// The checkpoint that this history does not extend, if it is known.
        var rollback: Rollback?
        var isRolledBack = false
    }

    private let refused: Mutex<Refusal?>
    /// Set by an I/O error while writing. What the kernel says of the file is not trusted again until a restart.
    private let latched = Mutex(false)

    init(refused refusal: Refusal?) { refused = Mutex(refusal) }

    var refusal: Refusal? { refused.withLock { $0 } }
    var isLatched: Bool { latched.withLock { $0 } }

    /// - Throws: ``HistoryError`` if nothing may be written.
    func require(_ path: String) throws(HistoryError) {
        if let refusal { throw HistoryError("\(path): \(refusal.problem)") }
        if isLatched {
            throw HistoryError("\(path): the disk failed while it was written; check disk and file system, then restart the service")
        }
    }

    func refuse(_ problem: String, isRolledBack: Bool = false) {
        refused.withLock { $0 = Refusal(problem: problem, isRolledBack: isRolledBack) }
    }

    /// Ends a refusal, which an administrator has decided. A latch stays.
    /// - Returns: what was refused.
    func lift() -> Refusal? {
        refused.withLock { refusal in
            defer { refusal = nil }
            return refusal
        }
    }

    func latch() { latched.withLock { $0 = true } }
}
