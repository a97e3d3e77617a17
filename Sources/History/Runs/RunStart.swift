/// What is recorded before a script starts. Its facts have their names and order in ``RunFact``.
package struct RunStart: Sendable {
    package var requester: Requester
    /// Milliseconds since 1970 UTC.
    package var startedAt: Int64
    package var scriptPath: String
    /// Of the file that was checked, in hexadecimal; nil if the script was unfit and not read.
    package var scriptSHA256: String?
    /// The user that executes the script.
    package var scriptUID: Int64?
    /// Whether that is another user than the service's.
    package var isolated: Bool?
    /// The kernel's boot ID.
    package var bootID: String?

    /// The other facts are nil and can be set.
    package init(requester: Requester, startedAt: Int64, scriptPath: String) {
        (self.requester, self.startedAt, self.scriptPath) = (requester, startedAt, scriptPath)
    }
}
