import CSQLite
import Dispatch
import Synchronization

/// Tells whether a connection writes to a database, from any thread. It takes no lock itself.
package final class WriterWatch: Sendable {
    private let connection: Mutex<Connection>

    /// - Throws: `SQLiteError` as opening for reading does.
    package init(path: String) throws(SQLiteError) { connection = Mutex(try Connection(path: path, mode: .readOnly)) }

    /// Whether a connection of this or another process holds the write lock: RESERVED or a stronger one
    /// (https://www.sqlite.org/c3ref/io_methods.html, xCheckReservedLock). False if SQLite cannot tell.
    package var isWriting: Bool { connection.withLock { $0.isBeingWritten } }
}

extension Connection {
    fileprivate var isBeingWritten: Bool {
        var isReserved: Int32 = 0
        guard let database = try? handle(for: "ask for the write lock") else { return false }
        return sqlite3_check_reserved_lock(database, &isReserved) == SQLITE_OK && isReserved != 0
    }

    /// Runs `body`, and interrupts its statement as soon as `shouldStop` returns true. A thread of its own asks every two
    /// milliseconds. This works for PRAGMA integrity_check too, which calls no progress handlers.
    ///
    /// - Returns: nil if it was interrupted. The result or error of `body` is then lost.
    /// - Throws: what `body` throws otherwise.
    package func run<T>(until shouldStop: @escaping @Sendable () -> Bool, _ body: () throws -> T) throws -> T? {
        let interrupter = Interrupter(try handle(for: "run until interrupted"), when: shouldStop)
        do {
            let result = try body()
            return interrupter.end() ? nil : result
        } catch {
            guard interrupter.end() else { throw error }
            return nil
        }
    }
}

/// Interrupts a connection from a thread of its own.
// Unchecked because of the pointer: sqlite3_interrupt may be called from any thread while the connection is open, and `end`
// returns only when the last call is over.
private final class Interrupter: @unchecked Sendable {
    private static let pollInterval = DispatchTimeInterval.milliseconds(2)

    private let database: OpaquePointer
    private let isOver = DispatchSemaphore(value: 0)
    private let hasEnded = DispatchSemaphore(value: 0)
    private let didInterrupt = Mutex(false)

    init(_ database: OpaquePointer, when shouldStop: @escaping @Sendable () -> Bool) {
        self.database = database
        DispatchQueue(label: "sqlite-interrupt").async { [self] in
            // Repeated, because an interrupt between two statements has no effect.
            while isOver.wait(timeout: .now() + Self.pollInterval) == .timedOut {
                guard shouldStop() else { continue }
                didInterrupt.withLock { $0 = true }
                sqlite3_interrupt(self.database)
            }
            hasEnded.signal()
        }
    }

    /// - Returns: whether it interrupted anything.
    func end() -> Bool {
        isOver.signal()
        hasEnded.wait()
        return didInterrupt.withLock { $0 }
    }
}
