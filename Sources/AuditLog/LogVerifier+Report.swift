extension LogVerifier {
    /// What a verification found.
    package struct Report: Sendable, Equatable {
        /// How many entries were read.
        package let size: Int64
        /// The root over them, nil where entries are missing. Where hashes were stored and do not fit the entries, over
        /// those, so that it tells whether the rest is as it was signed.
        package let root: Hash?
        /// The key that the log ends with, nil without a genesis.
        package let key: VerifierKey?
        /// Whether a key was expected, and is the log's.
        package let keyConfirmed: Bool
        /// The size of the largest checkpoint from outside that the log extends, 0 for none: what is before it was
        /// neither altered nor replaced since, but for the entries named in the problems.
        package let confirmedSize: Int64
        package let problems: Findings<Problem>
        package let remarks: Findings<Remark>

        /// Whether nothing is wrong.
        package var isIntact: Bool { problems.count == 0 }
    }
}
