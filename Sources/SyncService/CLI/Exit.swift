import ArgumentParser
import Linux
import Migrations
import RunProtocol
import SQLite

extension ExitStatus {
    /// An error that came from another has the status of that one.
    static func of(_ error: any Error) -> ExitStatus {
        switch error {
        case let error as SettingsError: error.mayMendItself ? .unavailable : .configuration
        case is Unavailable: .unavailable
        case let error as HistoryError: error.cause.map(of) ?? .wrong
        case let error as SQLiteError: isPassing(error) ? .unavailable : .wrong
        case MigrationError.database(let error): of(error)
        case let error as SystemError: error.mayPass ? .unavailable : .wrong
        case is ValidationError: .usage
        default: .wrong
        }
    }

    private static func isPassing(_ error: SQLiteError) -> Bool {
        error.isBusy || error.isFull || error.isIOError || error.isOutOfMemory || SystemError("", code: error.systemCode).mayPass
    }
}

/// Something that is needed is missing or in use now: what it is, and what to do where waiting does not help.
struct Unavailable: Error, CustomStringConvertible {
    let problem: String
    let fix: String

    init(_ problem: String, fix: String) {
        self.problem = problem
        self.fix = fix
    }

    var description: String { "\(problem). To fix it: \(fix)." }
}

/// Ends a command with a code of its own, after everything worth saying was said.
struct Exit: Error {
    let code: Int32

    init(_ status: ExitStatus) { code = status.rawValue }
    /// A code that a script gave, passed on.
    init(code: Int32) { self.code = code }
}

/// Writes a line for a person to standard error.
func tell(_ text: String) {
    try? Descriptor.standardError.write(Array((text + "\n").utf8))
}
