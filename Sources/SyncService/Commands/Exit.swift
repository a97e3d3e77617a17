import ArgumentParser
import Diagnostics
import History
import Linux
import RunProtocol

extension ExitStatus {
    /// An error that came from another has the status of that one.
    static func of(_ error: any Error) -> ExitStatus {
        switch error {
        case let error as SettingsError: error.mayMendItself ? .unavailable : .configuration
        case is Unavailable: .unavailable
        case let error as HistoryError where error.cause is SettingsError: error.cause.map(of) ?? .wrong
        case let error as HistoryError: error.mayPass ? .unavailable : .wrong
        case let error as SystemError: error.mayPass ? .unavailable : .wrong
        case is ValidationError: .usage
        default: .wrong
        }
    }
}

/// Ends a command with a code of its own, after everything worth saying was said.
struct Exit: Error {
    let code: Int32

    init(_ status: ExitStatus) { code = status.rawValue }
    /// A code that a script gave, passed on.
    init(code: Int32) { self.code = code }
}
