/// What the exit codes of `sync-service` and `sync-runner` say, in one place. The numbers from 64 on are those of
/// sysexits.h. `sync-service run` also passes on the code of the script, whatever it is.
package enum ExitStatus: Int32, Sendable, CaseIterable {
    case fine = 0
    /// Something is wrong, and what was printed says what.
    case wrong = 1
    /// `run`: a sync is running already.
    case alreadyRunning = 2
    /// `audit verify`: the history could not be checked, which says nothing about it.
    case notChecked = 3
    /// The command line is not understood (EX_USAGE).
    case usage = 64
    /// Something that is needed is missing or in use now, such as the port or the runner (EX_UNAVAILABLE). The same
    /// command may succeed later, so the units try it again.
    case unavailable = 69
    /// A setting is wrong or missing (EX_CONFIG). Time does not mend it, so the units do not try it again.
    case configuration = 78
}
