import AuditLog
import JSON
import JWT

/// One thing to be recorded: its kind, who did it, and what is to be known of it. Never a token or a secret.
struct AuditEvent: Sendable {
    let kind: Event
    let fields: [JSON.Member]

    /// - Parameter by: nil for what the service does by itself.
    init(_ kind: Event, by actor: Actor? = nil, outcome: String? = nil, _ fields: [JSON.Member] = []) {
        self.kind = kind
        self.fields =
            (actor?.members ?? []) + (outcome.map { [JSON.Member("outcome", .string($0))] } ?? []) + fields
    }
}

/// Who an event is about.
struct Actor: Sendable, Hashable {
    var user: String?
    var tokenFingerprint: String?
    var sourceIP: String?
    var requestID: String?

    var members: [JSON.Member] {
        [
            .init("user", .optional(user)), .init("token_fingerprint", .optional(tokenFingerprint)),
            .init("source_ip", .optional(sourceIP)), .init("request_id", .optional(requestID)),
        ]
    }
}

extension Call {
    var actor: Actor {
        Actor(user: claims?.user, tokenFingerprint: claims?.fingerprint, sourceIP: sourceIP, requestID: requestID)
    }
}
