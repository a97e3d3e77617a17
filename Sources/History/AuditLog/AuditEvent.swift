import AuditLog
import JSON

/// One thing to be recorded: its kind, who did it, and what is to be known of it. Never a token or a secret.
package struct AuditEvent: Sendable {
    package let kind: Event
    package let fields: [JSONValue.Member]

    /// - Parameter by: nil for what the service does by itself.
    package init(_ kind: Event, by principal: Principal? = nil, outcome: String? = nil, _ fields: [JSONValue.Member] = []) {
        self.kind = kind
        self.fields =
            (principal?.members ?? []) + (outcome.map { [JSONValue.Member("outcome", .string($0))] } ?? []) + fields
    }
}
