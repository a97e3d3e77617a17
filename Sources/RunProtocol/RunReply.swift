/// Why a script is not started: `why` in the documented answer.
package enum Unfitness: String, Sendable, CaseIterable {
    case notFound = "not found"
    case permissionDenied = "permission denied"
    case notARegularFile = "not a regular file"
    case unsafePermissions = "unsafe permissions"
    case cannotBeExecuted = "cannot be executed"
}

/// Runner to service: the answer to a ``RunRequest``.
package enum RunReply: Sendable, Equatable {
    /// Another process holds the run lock.
    case busy(RunLockHolder?)
    /// The script must not be started. The runner holds the run lock until the connection closes. `detail` tells the
    /// operator what is wrong and how to fix it.
    case unfit(Unfitness, detail: String, scriptUID: Int64)
    /// The runner holds the run lock, and the script may be started.
    case ready(scriptSHA256: String, scriptUID: Int64)
    /// The runner could not check the script. Nothing was started.
    case failed(String)
    /// The runner's settings or its release do not allow the request. Nothing was started.
    case refused(String)

    package var message: Message {
        switch self {
        case .busy(let holder):
            var message = Message("busy")
            holder?.add(to: &message)
            return message
        case .unfit(let why, let detail, let uid):
            var message = Message("unfit")
            message.add("why", why.rawValue)
            message.add("detail", detail)
            message.add("script_uid", uid)
            return message
        case .ready(let digest, let uid):
            var message = Message("ready")
            message.add("script_sha256", digest)
            message.add("script_uid", uid)
            return message
        case .failed(let reason):
            var message = Message("failed")
            message.add("reason", reason)
            return message
        case .refused(let reason):
            var message = Message("refused")
            message.add("reason", reason)
            return message
        }
    }

    package init(_ message: Message) throws(MessageError) {
        switch message.kind {
        case "busy": self = .busy(RunLockHolder(message))
        case "unfit":
            guard let why = Unfitness(rawValue: try message.requiredText("why")) else { throw .malformed("why") }
            self = .unfit(
                why, detail: try message.requiredText("detail"), scriptUID: try message.requiredInteger("script_uid"))
        case "ready":
            self = .ready(
                scriptSHA256: try message.requiredText("script_sha256"),
                scriptUID: try message.requiredInteger("script_uid"))
        case "failed": self = .failed(try message.requiredText("reason"))
        case "refused": self = .refused(try message.requiredText("reason"))
        default: throw .unexpected(kind: message.kind)
        }
    }
}
