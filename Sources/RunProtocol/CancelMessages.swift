/// Service to supervisor, through the run's own socket: end the script and all its descendants. The supervisor answers with
/// a ``CancelReply``.
package enum CancelRequest {
    package static let message = Message("cancel")
}

/// Supervisor to service: the answer to a ``CancelRequest``.
package enum CancelReply: String, Sendable {
    /// The supervisor ends the run, and the result will say `cancelled`.
    case ending = "run-cancelling"
    /// The script has ended already, or is being ended for another reason.
    case tooLate = "cancel-too-late"

    package var message: Message { Message(rawValue) }

    package init(_ message: Message) throws(MessageError) {
        guard let reply = CancelReply(rawValue: message.kind) else { throw .unexpected(kind: message.kind) }
        self = reply
    }
}
