import CLinux
import Glibc

/// Signals as something to poll: blocked for the process and read from a descriptor.
package struct Signals: Sendable {
    /// Readable when a signal waits.
    package let descriptor: Descriptor

    /// Blocks `signals` on this thread and collects them. To be called before other threads exist.
    package init(_ signals: [Int32]) throws(SystemError) {
        let number = clinux_signal_descriptor(signals, Int32(signals.count))
        guard number >= 0 else { throw SystemError("signalfd") }
        descriptor = Descriptor(owning: number)
    }

    /// The next waiting signal's number, nil when there is none.
    package func next() throws(SystemError) -> Int32? {
        let signal = clinux_next_signal(descriptor.number)
        guard signal >= 0 else { throw SystemError("read", "signals") }
        return signal == 0 ? nil : signal
    }
}

/// Waiting for descriptors.
package enum Poll {
    /// Waits until one can be read (or its other end is gone), or the time is over.
    /// - Parameter milliseconds: nil waits without end.
    /// - Returns: the numbers of those that are ready; none when the time was over.
    package static func readable(_ descriptors: [Descriptor], milliseconds: Int64?) throws(SystemError) -> Set<Int32> {
        var entries = descriptors.map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
        let timeout = milliseconds.map { Int32(clamping: max(0, $0)) } ?? -1
        let count = poll(&entries, nfds_t(entries.count), timeout)
        if count < 0 && errno == EINTR { return [] }
        guard count >= 0 else { throw SystemError("poll") }
        return Set(entries.filter { $0.revents != 0 }.map(\.fd))
    }
}
