import Dispatch
import Foundation
import Migrations
import SQLite
import Synchronization
import Testing

/// A folder of its own for one test, removed with it.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = "/tmp/migrations-tests-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The database of the test.
    var database: String { "\(path)/a.db" }

    func connect(_ mode: Connection.Mode = .create, busyTimeoutMilliseconds: Int32 = 60_000) throws -> Connection {
        try Connection(path: database, mode: mode, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    }

    /// Every file's name and bytes.
    func content() throws -> [String: Data] {
        var content: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: path) {
            content[name] = try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)"))
        }
        return content
    }

    /// What Debian's own command line tool says about the database: output and errors together, trimmed.
    @discardableResult
    func sqlite3(_ sql: String) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/sqlite3")
        process.arguments = ["-batch", "-init", "/dev/null", database, sql]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: output, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
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

/// Runs `body` on a thread of its own.
func onOwnThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        Thread {
            continuation.resume(with: Result(catching: body))
        }.start()
    }
}
