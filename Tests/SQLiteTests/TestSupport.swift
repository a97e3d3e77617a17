import Foundation
import TestSupport
import Testing

@testable import SQLite

extension TemporaryFolder {
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
}

/// The error `body` throws; a recorded issue when there is none, or another.
func sqliteError(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) -> SQLiteError? {
    let error = #expect(throws: SQLiteError.self, sourceLocation: sourceLocation) { try body() }
    return error
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
