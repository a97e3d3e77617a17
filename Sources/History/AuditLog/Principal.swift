import JSON

/// Who caused an event, as far as the service knows.
package struct Principal: Sendable, Hashable {
    package var user: String?
    package var tokenFingerprint: String?
    package var sourceIP: String?
    package var requestID: String?

    package init(user: String? = nil, tokenFingerprint: String? = nil, sourceIP: String? = nil, requestID: String? = nil) {
        self.user = user
        self.tokenFingerprint = tokenFingerprint
        self.sourceIP = sourceIP
        self.requestID = requestID
    }

    /// The members of an entry that name the principal. Unknown ones are null.
    package var members: [JSONValue.Member] {
        [
            .init("user", .optional(user)), .init("token_fingerprint", .optional(tokenFingerprint)),
            .init("source_ip", .optional(sourceIP)), .init("request_id", .optional(requestID)),
        ]
    }
}
