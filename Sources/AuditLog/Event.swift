/// What an entry records: the value of its key `event`.
package enum Event: String, Sendable, CaseIterable {
    /// Entry 0: the log's `origin` and first `vkey`.
    case genesis
    case serviceStarted = "service_started"
    case serviceStopped = "service_stopped"
    case runStarted = "run_started"
    case runFinished = "run_finished"
    case runRefused = "run_refused"
    /// A run of the time before there was an audit audit log: brought in later, not witnessed by it.
    case runImported = "run_imported"
    case runCancelRequested = "run_cancel_requested"
    /// What came of the request: `outcome` is ending, too_late or unreachable.
    case runCancelAnswered = "run_cancel_answered"
    /// An administrator wants the script's lock file removed. Recorded before anything is done.
    case lockClearRequested = "lock_clear_requested"
    case lockCleared = "lock_cleared"
    /// The lock file was left (`outcome` refused), or nobody knows whether it was removed (`outcome` unknown).
    case lockClearFailed = "lock_clear_failed"
    case externalRunSeen = "external_run_seen"
    case authFailed = "auth_failed"
    case accessDenied = "access_denied"
    case tokenIssued = "token_issued"
    case historyRead = "history_read"
    case historyExported = "history_exported"
    case outputRedacted = "output_redacted"
    case settingsChanged = "settings_changed"
    /// A new key, approved by the old one (see ``KeyChange``).
    case keyChanged = "key_changed"
    case clockStepped = "clock_stepped"
    /// An administrator accepted a gap in the history (`audit resume`), or the service repaired what a crash left.
    case recovered
}
