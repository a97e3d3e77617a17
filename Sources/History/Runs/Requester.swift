/// Who asked for a run, and how. Nothing of it reaches the script.
package struct Requester: Sendable {
    package enum Trigger: String, Sendable, CaseIterable { case api, cli }
    package var user: String
    package var userName: String?
    package var tokenFingerprint: String?
    package var trigger: Trigger
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
    package var principal: Principal { Principal(user: user, tokenFingerprint: tokenFingerprint, sourceIP: sourceIP, requestID: requestID) }
}
