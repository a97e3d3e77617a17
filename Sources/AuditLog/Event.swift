/// The kind of an entry: the value of its key `event`. What an entry of each kind holds is in `AuditEvent.form`, in `History`.
package enum Event: String, Sendable, CaseIterable {
    case genesis
    case serviceStarted = "service_started"
    case serviceStopped = "service_stopped"
    case runStarted = "run_started"
    case runFinished = "run_finished"
    case runRefused = "run_refused"
    case runImported = "run_imported"
    case runCancelRequested = "run_cancel_requested"
    case runCancelAnswered = "run_cancel_answered"
    case lockClearRequested = "lock_clear_requested"
    case lockCleared = "lock_cleared"
    case lockClearFailed = "lock_clear_failed"
    case externalRunSeen = "external_run_seen"
    case authFailed = "auth_failed"
    case accessDenied = "access_denied"
    case tokenIssued = "token_issued"
    case historyRead = "history_read"
    case historyExported = "history_exported"
    case outputRedacted = "output_redacted"
    case settingsChanged = "settings_changed"
    case keyChanged = "key_changed"
    case clockStepped = "clock_stepped"
    case recovered
}
