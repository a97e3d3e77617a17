import Linux
import Synchronization

/// Bounds how many lines of one sort come into the log, because anybody who can connect can cause them.
package final class LogThrottle: Sendable {
    private let lines: Int
    private let milliseconds: Int64
    private let state = Mutex((ends: Int64.min, written: 0, omitted: 0))

    /// - Parameters:
    ///   - lines: that are let through
    ///   - milliseconds: in so much time.
    package init(lines: Int, in milliseconds: Int64) {
        self.lines = lines
        self.milliseconds = milliseconds
    }

    /// Lets one line through, or not.
    /// - Parameter write: gets what to put behind the line: how many were left out since the last one, or nothing.
    package func log(now: Int64 = Clock.monotonicMilliseconds(), _ write: (String) -> Void) {
        let omitted = state.withLock { state -> Int? in
            if now >= state.ends { (state.ends, state.written) = (now + milliseconds, 0) }
            guard state.written < lines else {
                state.omitted += 1
                return nil
            }
            defer { state.omitted = 0 }
            state.written += 1
            return state.omitted
        }
        guard let omitted else { return }
        write(omitted > 0 ? "; \(omitted) others since the last such line" : "")
    }
}
