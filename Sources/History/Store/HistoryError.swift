import Linux
import Migrations
import SQLite

/// The history cannot be opened, read or written. A person reads this in a log or on a terminal.
package struct HistoryError: Error, CustomStringConvertible {
    package let description: String
    var isFull = false
    var isIOError = false
    /// Others use the database. Later it may work.
    var isBusy = false
    /// SQLite cannot make sense of the file.
    var isDamage = false
    /// Whether the same may succeed later: the disk, a limit or somebody else was in the way.
    package private(set) var mayPass = false
    /// What it came from, where it came from another error.
    package private(set) var cause: (any Error)?

    package init(_ description: String) { self.description = description }

    /// - Parameter description: says all of it, the cause too.
    package init(_ description: String, cause: any Error) {
        self.description = description
        self.cause = cause
        mayPass = Self.mayPass(cause)
    }

    package init(_ path: String, _ error: any Error) {
        if let error = error as? HistoryError {
            self = error
            return
        }
        if let error = error as? SQLiteError {
            isFull = error.isFull
            isIOError = error.isIOError
            isBusy = error.isBusy
            isDamage = error.isCorruptOrNotADatabase
        }
        description = "\(path): \(error)"
        cause = error
        mayPass = Self.mayPass(error)
    }

    private static func mayPass(_ error: any Error) -> Bool {
        switch error {
        case let error as HistoryError: error.mayPass
        case let error as SQLiteError:
            error.isBusy || error.isFull || error.isIOError || error.isOutOfMemory || SystemError("", code: error.systemCode).mayPass
        case MigrationError.database(let error): mayPass(error)
        case let error as SystemError: error.mayPass
        default: false
        }
    }
}
