import Linux
import Synchronization

/// Bounds how many lines of one kind are logged, because every client that can connect can cause them.
package final class LogThrottle: Sendable {
    private let lines: Int
    private let milliseconds: Int64
    private let state = Mutex((ends: Int64.min, written: 0, omitted: 0))

    /// - Parameters:
    ///   - lines: how many lines pass in each window.
    ///   - milliseconds: how long a window is.
    package init(lines: Int, in milliseconds: Int64) {
        self.lines = lines
        self.milliseconds = milliseconds
    }

    /// Lets one line pass, or counts it.
    /// - Parameters:
    ///   - now: by the monotonic clock, in milliseconds.
    ///   - write: logs the line; gets a text to append that says how many lines were left out since the last one.
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
