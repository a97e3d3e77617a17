import JSON

/// What is recorded before a script starts.
package struct RunStart: Sendable {
    package var requester: Requester
    /// Milliseconds since 1970 UTC.
    package var startedAt: Int64
    package var scriptPath: String
    package var scriptSHA256: String?
    package var scriptUID: Int64?
    package var isolated: Bool?
    package var bootID: String?

    package init(
        requester: Requester, startedAt: Int64, scriptPath: String, scriptSHA256: String? = nil, scriptUID: Int64? = nil,
        isolated: Bool? = nil, bootID: String? = nil
    ) {
        self.requester = requester
        self.startedAt = startedAt
        self.scriptPath = scriptPath
        self.scriptSHA256 = scriptSHA256
        self.scriptUID = scriptUID
        self.isolated = isolated
        self.bootID = bootID
    }

    /// The facts under the names they have in the table, the audit log and the API.
    package var members: [JSONValue.Member] {
        [
            .init("user", .string(requester.user)), .init("user_name", .optional(requester.userName)),
            .init("token_fingerprint", .optional(requester.tokenFingerprint)),
            .init("trigger", .string(requester.trigger.rawValue)), .init("reason", .optional(requester.reason)),
            .init("source_ip", .optional(requester.sourceIP)), .init("request_id", .string(requester.requestID)),
            .init("started_at", .string(Timestamp.text(startedAt))), .init("script_path", .string(scriptPath)),
            .init("script_sha256", .optional(scriptSHA256)), .init("script_uid", .optional(scriptUID)),
            .init("isolated", .optional(isolated)), .init("boot_id", .optional(bootID)),
        ]
    }
}
