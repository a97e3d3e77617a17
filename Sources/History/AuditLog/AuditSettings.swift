import AuditLog

/// The name and the key that sign the history, and the file for its checkpoints.
package struct AuditSettings: Sendable {
    package let origin: String
    package let keyFile: String
    /// The key that the log must have (`AUDIT_VKEY`); nil accepts any.
    package let pinned: VerifierKey?
    /// Every checkpoint is appended to this file, best on another disk. The history is compared with it at each start. nil: no file.
    package let checkpointFile: CheckpointFile?

    package init(origin: String, keyFile: String, pinned: VerifierKey?, checkpointFile: CheckpointFile?) {
        self.origin = origin
        self.keyFile = keyFile
        self.pinned = pinned
        self.checkpointFile = checkpointFile
    }
}
