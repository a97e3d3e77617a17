/// Why a run was not started on request.
package enum RunRefusal: String, Sendable, CaseIterable {
    /// A sync is running already.
    case busy
    /// `SYNC_SCRIPT_PATH` is not set.
    case scriptNotSet = "script_not_set"
}

/// Why the script's lock file may still be there after an administrator asked for its removal.
package enum LockClearFailure: String, Sendable, CaseIterable {
    /// The runner left it.
    case refused
    /// The runner was lost while it worked.
    case unknown
}

/// What happened to the script's lock file without a run of this service.
package enum ExternalRunChange: String, Sendable, CaseIterable {
    case seen, gone
}

/// Whether the service works with the settings that it read again.
package enum SettingsOutcome: String, Sendable, CaseIterable {
    case reloaded
    /// They were wrong, and the old ones stay in force.
    case refused
}

/// What a client read of the history.
package enum HistoryPart: String, Sendable, CaseIterable {
    /// A page of the list of runs.
    case runs
    /// One run with its output.
    case run
    /// The stored bytes of one run's output.
    case output
    /// A page of the audit log.
    case audit
    case checkpoint, receipt, verify
}

/// What a command wrote the history to.
package enum ExportTarget: String, Sendable, CaseIterable {
    /// A folder of the tlog-tiles format.
    case tiles
    /// A copy of the database.
    case backup
}
