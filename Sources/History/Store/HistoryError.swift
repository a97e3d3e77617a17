import Linux
import Migrations
import SQLite

/// The history cannot be opened, read or written. Its text is for a log or a terminal.
package struct HistoryError: Error, CustomStringConvertible {
    package let description: String
    /// The disk, or a limit of the file's size, is full.
    var isFull = false
    /// The disk failed.
    var isIOError = false
    /// Others use the database. A later try may succeed.
    var isBusy = false
    /// SQLite found the file malformed, or it is no database.
    var isDamage = false
    /// Whether a later try may succeed, because the cause was the disk, a limit or another process.
    package private(set) var mayPass = false
    /// The error that caused this one.
    package private(set) var cause: (any Error)?

    package init(_ description: String) { self.description = description }

    /// - Parameter description: names the cause too.
    package init(_ description: String, cause: any Error) {
        self.description = description
        self.cause = cause
        mayPass = Self.mayPass(cause)
    }

    /// An error about the history at `path`. A ``HistoryError`` stays as it is.
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
