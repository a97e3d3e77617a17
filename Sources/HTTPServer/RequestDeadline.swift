import NIOCore

/// The deadline of a connection that owes us a request. There is at most one at a time.
///
/// Limits are absolute: single bytes that arrive steadily postpone nothing.
struct RequestDeadline {
    /// What the connection waits for.
    enum Wait {
        /// The end of a head: from its first byte, or from the beginning of the connection.
        case head
        /// The end of a body: from the end of its head.
        case body
        /// The first byte of the next request.
        case nextRequest

        var limit: TimeAmount {
            switch self {
            case .head: .seconds(10)
            case .body: .seconds(30)
            case .nextRequest: .seconds(60)
            }
        }
    }

    private var current: (wait: Wait, task: Scheduled<Void>)?

    /// Replaces the deadline. One for the same wait continues, so that a client cannot postpone it by sending.
    /// - Parameter expire: runs on the event loop when the limit has passed.
    mutating func start(_ wait: Wait, on eventLoop: any EventLoop, expire: @escaping @Sendable () -> Void) {
        guard current?.wait != wait else { return }
        cancel()
        current = (wait, eventLoop.scheduleTask(in: wait.limit, expire))
    }

    mutating func cancel() {
        current?.task.cancel()
        current = nil
    }
}
