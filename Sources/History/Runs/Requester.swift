/// Who asked for a run, and how. The script learns none of it.
package struct Requester: Sendable {
    /// The way a run was asked for. A new case needs a migration that replaces the database's trigger
    /// `run_started_trigger`.
    package enum Trigger: String, Sendable, CaseIterable { case api, cli }

    package var user: String
    /// The name claim of the token.
    package var userName: String?
    package var tokenFingerprint: String?
    package var trigger: Trigger
    /// What a person gave as reason on the command line.
    package var reason: String?
    package var sourceIP: String?
    package var requestID: String

    package init(
        user: String, userName: String? = nil, tokenFingerprint: String? = nil, trigger: Trigger, reason: String? = nil,
        sourceIP: String? = nil, requestID: String
    ) {
        self.user = user
        self.userName = userName
        self.tokenFingerprint = tokenFingerprint
        self.trigger = trigger
        self.reason = reason
        self.sourceIP = sourceIP
        self.requestID = requestID
    }

    /// The same person for entries of the audit log.
    package var principal: Principal { Principal(user: user, tokenFingerprint: tokenFingerprint, sourceIP: sourceIP, requestID: requestID) }
}
