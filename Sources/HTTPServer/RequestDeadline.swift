import NIOCore

/// The deadline of a connection that owes us a request. There is at most one at a time.
///
/// Limits are absolute: single bytes that arrive steadily postpone nothing. A deadline that is met costs no timer: one timer
/// stays, and looks when it fires whether there is still something to wait for.
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

    private var current: (wait: Wait, end: NIODeadline)?
    private var timer: (end: NIODeadline, task: Scheduled<Void>)?

    /// Replaces the deadline. One for the same wait continues, so that a client cannot postpone it by sending.
    /// - Parameter look: runs on the event loop; it must call ``hasPassed(on:look:)``.
    mutating func start(_ wait: Wait, on eventLoop: any EventLoop, look: @escaping @Sendable () -> Void) {
        guard current?.wait != wait else { return }
        let end = eventLoop.now + wait.limit
        current = (wait, end)
        setTimer(end, on: eventLoop, look)
    }

    /// Tells, when the timer has fired, whether the deadline has passed. If not, the timer is set again.
    mutating func hasPassed(on eventLoop: any EventLoop, look: @escaping @Sendable () -> Void) -> Bool {
        timer = nil
        guard let end = current?.end else { return false }
        guard eventLoop.now < end else {
            current = nil
            return true
        }
        setTimer(end, on: eventLoop, look)
        return false
    }

    /// The deadline is met.
    mutating func cancel() { current = nil }

    /// The deadline is met, and no other will come.
    mutating func end() {
        current = nil
        timer?.task.cancel()
        timer = nil
    }

    private mutating func setTimer(_ end: NIODeadline, on eventLoop: any EventLoop, _ look: @escaping @Sendable () -> Void) {
        if let timer {
            guard timer.end > end else { return }
            timer.task.cancel()
        }
        timer = (end, eventLoop.scheduleTask(deadline: end, look))
    }
}
