import Dispatch
import Foundation
import Migrations
import SQLite
import Synchronization
import TestSupport
import Testing

extension TemporaryFolder {
    /// The database of the test.
    var database: String { self("a.db") }

    func connect(_ mode: Connection.Mode = .create, busyTimeoutMilliseconds: Int32 = 60_000) throws -> Connection {
        try Connection(path: database, mode: mode, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    }

    /// Every file's name and bytes.
    func content() throws -> [String: Data] {
        var content: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: path) {
            content[name] = try Data(contentsOf: URL(fileURLWithPath: self(name)))
        }
        return content
    }

    /// What Debian's own command line tool says about the database.
    @discardableResult
    func sqlite3(_ sql: String) throws -> String { try sqlite3("a.db", sql) }
}

/// The error `body` throws; a recorded issue when there is none, or another.
func migrationError(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) -> MigrationError? {
    let error = #expect(throws: MigrationError.self, sourceLocation: sourceLocation) { try body() }
    return error
}

/// Lets threads through once all have arrived.
final class Gate: Sendable {
    private let open = DispatchSemaphore(value: 0)
    private let awaited: Mutex<Int>

    init(for count: Int) {
        awaited = Mutex(count)
    }

    func pass() {
        let isLast = awaited.withLock { awaited in
            awaited -= 1
            return awaited == 0
        }
        if !isLast { open.wait() }
        open.signal()
    }
}
