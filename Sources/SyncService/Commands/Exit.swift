import ArgumentParser
import Diagnostics
import Glibc
import History
import Linux
import RunProtocol

/// Ends a command with a status, after it has printed everything worth saying. Nothing else decides how the program ends:
/// commands throw, and ``end(with:)`` maps every error to its status.
struct Exit: Error {
    let code: Int32

    init(_ status: ExitStatus) { code = status.rawValue }

    /// - Parameter code: of a script, which `run` passes on.
    init(code: Int32) { self.code = code }

    /// Ends the program. Prints the error, unless it is an ``Exit``.
    static func end(with error: any Error) -> Never {
        if let exit = error as? Exit { Glibc.exit(exit.code) }
        // Help, version, and what the argument parser has to say about the command line.
        if RootCommand.exitCode(for: error) != .failure { RootCommand.exit(withError: error) }
        printToStandardError("sync-service: \(error)")
        Glibc.exit(ExitStatus.of(error).rawValue)
    }
}

extension ExitStatus {
    /// The status for an error of a command. An error that another one caused has the status of its cause.
    static func of(_ error: any Error) -> ExitStatus {
        switch error {
        case let error as SettingsError: error.mayMendItself ? .unavailable : .configuration
        case is Unavailable: .unavailable
        case let error as HistoryError where error.cause is SettingsError: error.cause.map(of) ?? .wrong
        case let error as HistoryError: error.mayPass ? .unavailable : .wrong
        case let error as SystemError: error.mayPass ? .unavailable : .wrong
        default: .wrong
        }
    }
}
