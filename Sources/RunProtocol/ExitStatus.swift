/// The exit codes of `sync-service` and `sync-runner`. The numbers from 64 on are those of sysexits.h. `sync-service run` also
/// passes on the exit code of the script.
package enum ExitStatus: Int32, Sendable, CaseIterable {
    case fine = 0
    /// Something is wrong; the output says what.
    case wrong = 1
    /// `run`: a sync is running already.
    case alreadyRunning = 2
    /// `audit verify`: the history could not be checked. That says nothing about it.
    case notChecked = 3
    /// The command line is wrong (EX_USAGE).
    case usage = 64
    /// Something is missing or in use now, such as the port or the runner (EX_UNAVAILABLE). The same command may succeed
    /// later, so the units try again.
    case unavailable = 69
    /// A setting is wrong or missing (EX_CONFIG). Time does not fix it, so the units do not try again.
    case configuration = 78
}
