import Glibc
import Linux
import SQLite
import Synchronization

extension HistoryReader {
    /// How long each attempt lets a writer wait. The first attempts end as soon as a writer comes. Later ones let it wait longer
    /// and longer, so that a history that is written all the time can be read too. The longest time is well below the time
    /// after which a writer gives up.
    private static let patienceMilliseconds: [Int64] = Array(repeating: 0, count: 10) + [50, 100, 200, 400, 800, 1600, 2000, 2000]

    /// Reads one state of the database for as long as that takes, and yields to writers: when a writer comes, the read is
    /// interrupted, and begins again after it. Blocks. Other users of this reader wait meanwhile.
    ///
    /// - Throws: ``HistoryError``, also if a writer interrupted every attempt.
    func readYielding<Result: Sendable>(_ body: (Connection) throws -> Result) throws(HistoryError) -> Result {
        do {
            let watch = try WriterWatch(path: path)
            for (attempt, patience) in Self.patienceMilliseconds.enumerated() {
                let writer = WaitingWriter(watch, patience: patience)
                let result = try use { connection in
                    try connection.run(until: { writer.hasWaited }) { try connection.read { try body(connection) } }
                }
                if let result { return result }
                usleep(UInt32(10_000 * (attempt + 1)))
            }
        } catch {
            throw HistoryError(path, error)
        }
        var error = HistoryError("\(path): it was written again and again, so that it could not be read as a whole; try again")
        error.isBusy = true
        throw error
    }
}

/// How long a writer has been waiting for a reader. While the reader reads, no writer can finish, so it is the same one.
private final class WaitingWriter: Sendable {
    private let watch: WriterWatch
    private let patience: Int64
    private let since = Mutex<Int64?>(nil)

    init(_ watch: WriterWatch, patience: Int64) {
        self.watch = watch
        self.patience = patience
    }

    /// Whether a writer has waited longer than the reader may let it.
    var hasWaited: Bool {
        let now = Clock.monotonicMilliseconds()
        let isWriting = watch.isWriting
        return since.withLock { since in
            since = isWriting ? since ?? now : nil
            return since.map { now - $0 >= patience } ?? false
        }
    }
}
