import Glibc
import Linux
import SQLite
import Synchronization

extension HistoryReader {
    /// So often a read is begun again. The first times it ends as soon as a writer comes, then it lets writers wait a little
    /// longer each time, so that a history that is written all the time can be read too. The longest is well below the
    /// time a writer waits before it gives up.
    private static let patienceMilliseconds: [Int64] = Array(repeating: 0, count: 10) + [50, 100, 200, 400, 800, 1600, 2000, 2000]

    /// Reads one state of the database for as long as that takes, and lets writers pass: when one comes, the read is
    /// interrupted and begun again after it. Blocks, and keeps this reader from everyone else meanwhile.
    ///
    /// - Throws: ``HistoryError``, also where writers came every time.
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

    package init(_ watch: WriterWatch, patience: Int64) {
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
