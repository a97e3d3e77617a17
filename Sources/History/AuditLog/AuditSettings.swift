import AuditLog

/// Under which name and key the history is signed, and where its checkpoints go.
package struct AuditSettings: Sendable {
    package let origin: String
    package let keyFile: String
    /// The key that must be the log's; nil: whatever key it has.
    package let pinned: VerifierKey?
    /// Every checkpoint is appended here, best on another disk, and compared with the history at each start; nil: nowhere.
    package let checkpointFile: CheckpointFile?

    package init(origin: String, keyFile: String, pinned: VerifierKey?, checkpointFile: CheckpointFile?) {
        self.origin = origin
        self.keyFile = keyFile
        self.pinned = pinned
        self.checkpointFile = checkpointFile
    }
}
