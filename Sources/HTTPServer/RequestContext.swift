import HTTPFraming
import JWT
import Logging
import NIOCore

/// What a handler knows of its request. ``Responder`` makes it after the route was found and the token was checked
/// against the route's role, so a handler checks neither.
package struct RequestContext: Sendable {
    package let request: Request
    /// The token's claims. nil on routes that need no token, unless a valid one was sent and the route reads it.
    package let claims: Claims?
    /// Whether the token is an administrator's; false on routes that need no token.
    package let isAdmin: Bool
    /// The number in the place of the path's `{id}`; 0 on routes without one.
    package let id: Int64
    /// The client's address (``SourceAddress``); nil if it is unknown.
    package let sourceIP: String?
    /// Names the request in log and history.
    package let requestID: RequestID
    /// That of the connection.
    package let eventLoop: any EventLoop
    let baseLogger: Logger

    /// Adds request ID and address to each line.
    package var logger: Logger { baseLogger.about(requestID, from: sourceIP) }

    /// Logs what is rarely wanted. Nothing is built for it at other levels.
    package func debug(_ text: @autoclosure () -> String) {
        if baseLogger.logLevel <= .debug { logger.debug("\(text())") }
    }

    /// The user's name for the log; empty without claims.
    package var user: String { claims?.user ?? "" }
}

extension Logger {
    func about(_ requestID: RequestID, from sourceIP: String?) -> Logger {
        var logger = self
        logger[metadataKey: "request"] = "\(requestID)"
        logger[metadataKey: "from"] = "\(sourceIP ?? "?")"
        return logger
    }
}
