import Glibc
import SQLite
import Synchronization

/// One read-only connection to a history. Calls block, and wait for each other. Make them on a thread of a pool, never on an
/// event loop.
package final class HistoryReader: Sendable {
    package let path: String
    private let connection: Mutex<Connection>
    let unfinished = UnfinishedRuns()
    let startTimes = Mutex(StartTimes())

    package init(opening path: String) throws(HistoryError) {
        self.path = path
        do { connection = Mutex(try Self.open(path)) } catch { throw HistoryError(path, error) }
    }

    /// A killed writer may leave a transaction half written. Opening the database for writing undoes it.
    private static func open(_ path: String) throws(SQLiteError) -> Connection {
        do { return try Connection(path: path, mode: .readOnly) } catch {
            guard error.isInterruptedWrite else { throw error }
            try Connection(path: path, mode: .readWrite).close()
            return try Connection(path: path, mode: .readOnly)
        }
    }

    /// Lends the connection for the time of the call.
    func use<Result: Sendable>(_ body: (Connection) throws -> Result) throws -> Result { try connection.use(body) }

    /// Runs `body` so that all it reads belongs to one state of the database. Keep it short, because writers wait meanwhile.
    package func read<Result: Sendable>(_ body: (Connection) throws -> Result) throws(HistoryError) -> Result {
        do {
            return try connection.use { connection in try connection.read { try body(connection) } }
        } catch {
            throw HistoryError(path, error)
        }
    }
}

extension HistoryReader {
    /// How many rows a search may examine in one transaction.
    static let rowsPerRead: Int64 = 2500

    /// One step of a long search. After it this pauses without a lock, long enough for a writer and other readers to wake up and
    /// take their turn before the next step.
    func shortRead<Result: Sendable>(_ body: (Connection) throws -> Result) throws(HistoryError) -> Result {
        defer { pause() }
        return try read(body)
    }

    /// Repeats a step of a long search, each time in a transaction of its own, until it returns false. Pauses between two steps.
    func readInSteps(_ step: (Connection) throws -> Bool) throws(HistoryError) {
        while try read(step) { pause() }
    }

    private func pause() { usleep(500) }
}

extension Mutex where Value == Connection {
    /// Lends the connection to `body` for the time of the call. (`withLock` alone does not accept a body that calls another.)
    func use<Result: Sendable>(_ body: (Connection) throws -> Result) throws -> Result {
        try withLock { try body($0) }
    }
}
