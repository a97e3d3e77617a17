import Glibc
import SQLite
import Synchronization

/// The history for reading. Calls block: on threads of their own, never on an event loop.
package final class HistoryReader: Sendable {
    package let path: String
    private let connection: Mutex<Connection>

    package init(opening path: String) throws(HistoryError) {
        self.path = path
        do { connection = Mutex(try Self.open(path)) } catch { throw HistoryError(path, error) }
    }

    /// What a killed writer left half done is undone by opening the database once for writing.
    private static func open(_ path: String) throws(SQLiteError) -> Connection {
        do { return try Connection(path: path, mode: .readOnly) } catch {
            guard error.isInterruptedWrite else { throw error }
            try Connection(path: path, mode: .readWrite).close()
            return try Connection(path: path, mode: .readOnly)
        }
    }

    /// Lends the connection out.
    func use<Result: Sendable>(_ body: (Connection) throws -> Result) throws -> Result { try connection.use(body) }

    /// Reads one state of the database. Keep it short: writers wait meanwhile.
    package func read<Result: Sendable>(_ body: (Connection) throws -> Result) throws(HistoryError) -> Result {
        do {
            return try connection.use { connection in try connection.read { try body(connection) } }
        } catch {
            throw HistoryError(path, error)
        }
    }
}

extension HistoryReader {
    /// So many rows a search may examine in one transaction.
    static let rowsPerRead: Int64 = 1000

    /// One step of a search that takes many. Between two steps no lock is held, for long enough that a writer and the other
    /// readers get their turn: without the pause the step that ends could begin the next one before they wake up.
    func shortRead<Result: Sendable>(_ body: (Connection) throws -> Result) throws(HistoryError) -> Result {
        defer { usleep(500) }
        return try read(body)
    }
}

extension Mutex where Value == Connection {
    /// Lends the connection to `body` for the time of the call. (`withLock` alone does not accept a body that calls another.)
    func use<Result: Sendable>(_ body: (Connection) throws -> Result) throws -> Result {
        try withLock { try body($0) }
    }
}
