import Foundation
import Testing

@testable import SQLite

/// A folder of its own for one test, removed with it.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = "/tmp/sqlite-tests-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }

    deinit {
        chmod(path, 0o700)
        try? FileManager.default.removeItem(atPath: path)
    }

    /// A path within the folder.
    func callAsFunction(_ name: String) -> String {
        "\(path)/\(name)"
    }

    func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: self(name))))
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: self(name)))
    }

    func mode(_ name: String) throws -> Int? {
        let attributes = try FileManager.default.attributesOfItem(atPath: self(name))
        return (attributes[.posixPermissions] as? NSNumber)?.intValue
    }

    /// What Debian's own command line tool says about a database.
    func sqlite3(_ name: String, _ sql: String) throws -> String {
        try run("/usr/bin/sqlite3", ["-batch", "-init", "/dev/null", self(name), sql])
    }

    /// A program's standard output and error together, trimmed.
    func run(_ program: String, _ arguments: [String]) throws -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
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
func sqliteError(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) -> SQLiteError? {
    let error = #expect(throws: SQLiteError.self, sourceLocation: sourceLocation) { try body() }
    return error
}

/// Runs `body` on a thread of its own, whose umask and file-system user it may change without changing the process's.
func onOwnThread(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { continuation in
        Thread {
            continuation.resume(with: Result(catching: body))
        }.start()
    }
}

/// Linux calls that Glibc's module leaves out. Both change the calling thread only.
enum ThreadCall {
    static func unshareUmask() -> Int32 {
        let cloneFS: Int32 = 0x200
        return call("unshare", cloneFS)
    }

    /// Also takes root's right to ignore file modes away (capabilities(7)).
    static func becomeNobodyForFiles() {
        _ = call("setfsuid", 65534)
    }

    private static func call(_ name: String, _ argument: Int32) -> Int32 {
        guard let symbol = dlsym(nil, name) else { return -1 }
        return unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)(argument)
    }
}
