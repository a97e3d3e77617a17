import HTTPTypes

extension HTTPField.Name {
    /// The audit log's newest checkpoint, base64 of the signed note.
    static let syncCheckpoint = HTTPField.Name("Sync-Checkpoint") ?? .via
    /// The number of the run that a response is about.
    static let syncRunID = HTTPField.Name("Sync-Run-Id") ?? .via
    /// The outcome of that run, as the history names it.
    static let syncRunOutcome = HTTPField.Name("Sync-Run-Outcome") ?? .via
    /// RFC 7240.
    static let preferenceApplied = HTTPField.Name("Preference-Applied") ?? .via

    /// What web pages of other origins may read, beside the headers that they may always read.
    static let exposedToPages: [HTTPField.Name] = [.syncRunID, .syncRunOutcome, .syncCheckpoint, .retryAfter]
}
