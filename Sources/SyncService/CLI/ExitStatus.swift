import ArgumentParser
import Linux

/// What the program's exit code says, in one place.
enum ExitStatus: Int32 {
    case fine = 0
    /// Something is wrong, and what was printed says what.
    case wrong = 1
    /// `run`: a sync is running already.
    case alreadyRunning = 2
    /// The command line is not understood (EX_USAGE).
    case usage = 64
    /// A setting is wrong or missing (EX_CONFIG).
    case configuration = 78

    static func of(_ error: any Error) -> ExitStatus {
        switch error {
        case is SettingsError: .configuration
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

/// Writes a line for a person to standard error.
func tell(_ text: String) {
    try? Descriptor.standardError.write(Array((text + "\n").utf8))
}
