import AuditLog
import JSON
import RunProtocol

/// What the audit log records: one case for each kind of event, with what its entry says. Never a token or a secret.
///
/// A new kind of event is a word in `AuditLog.Event`, a case here, and its form in ``form``. The format page
/// (security/AUDIT_FORMAT.md) is generated from the forms.
package enum AuditEvent: Sendable {
    case genesis(VerifierKey)
    case serviceStarted(version: String, bootID: String?, ClockFacts)
    case serviceStopped
    case runStarted(run: Int64, RunStart, ClockFacts)
    /// - Parameter storedOutput: the hexadecimal SHA-256 of the output as it is stored.
    case runFinished(run: Int64, RunFinish, storedOutput: String)
    case runRefused(RunRefusal)
    /// - Parameters:
    ///   - facts: the rows of the run as they were found.
    ///   - storedOutput: nil where no output is stored.
    case runImported(run: Int64, facts: [JSONValue.Member], storedOutput: String?)
    case runCancelRequested(run: Int64)
    case runCancelAnswered(run: Int64, CancelAnswer)
    case lockClearRequested(reason: String)
    case lockCleared(reason: String)
    /// - Parameter why: the runner's reason, where it refused.
    case lockClearFailed(reason: String, LockClearFailure, why: String? = nil)
    case externalRunSeen(ExternalRunChange, LockFile)
    /// - Parameter reason: one of `TokenRefusal.Reason`, which this module does not know.
    case authFailed(reason: String)
    /// - Parameter path: the route's, so that no client chooses what is written.
    case accessDenied(path: String)
    case tokenIssued(user: String, role: String?, ttlSeconds: Int64, fingerprint: String)
    /// - Parameter run: the run that was read, where it was one run.
    case historyRead(HistoryPart, run: Int64? = nil)
    case historyExported(ExportTarget)
    case outputRedacted(run: Int64, reason: String)
    /// Names of settings; never their values. nil where the new settings were refused.
    case settingsChanged(SettingsOutcome, changed: [String]? = nil, needRestart: [String]? = nil)
    case keyChanged(KeyChange)
    case clockStepped(milliseconds: Int64)
    case recovered(Recovery)
    /// One entry that stands for many events of a kind.
    case summary(Event, EventTally)
}

/// An event and who caused it: what becomes an entry of the audit log.
package struct AuditEntry: Sendable {
    package let event: AuditEvent
    /// nil for what the service does by itself; then the entry has none of the principal's members.
    package let principal: Principal?

    package init(_ event: AuditEvent, by principal: Principal? = nil) {
        self.event = event
        self.principal = principal
    }

    /// All members of the entry besides `event` and `at`. `Leaf` sorts them.
    package var members: [JSONValue.Member] { (principal?.members ?? []) + event.members }
}
