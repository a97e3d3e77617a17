/// What an administrator accepts with `audit resume`, for the entry `recovered`.
package struct Recovery: Sendable {
    /// The administrator's words.
    package let reason: String
    /// What was found, for people.
    package let problems: [String]
    /// The digests of all damage that was found (``Damage/digest``).
    package let accepted: [String]
    /// The checkpoint outside the history that is given up; nil where there is none.
    package let givenUp: Rollback?

    package init(reason: String, problems: [String], accepted: [String], givenUp: Rollback?) {
        self.reason = reason
        self.problems = problems
        self.accepted = accepted
        self.givenUp = givenUp
    }
}
