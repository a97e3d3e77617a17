import CLinux
import Glibc

/// Signals that are blocked and read from a descriptor instead, so that they can be polled.
package struct Signals: Sendable {
    /// Readable if a signal waits.
    package let descriptor: Descriptor

    private init(_ descriptor: Descriptor) { self.descriptor = descriptor }

    /// Blocks `signals` on this thread, and on the threads that it starts later. Call it before other threads exist.
    package static func block(_ signals: [Int32]) throws(SystemError) -> Signals {
        let number = clinux_signal_descriptor(signals, Int32(signals.count))
        guard number >= 0 else { throw SystemError("signalfd") }
        return Signals(Descriptor(owning: number))
    }

    /// The number of the next waiting signal; nil if there is none.
    package func next() throws(SystemError) -> Int32? {
        let signal = clinux_next_signal(descriptor.number)
        guard signal >= 0 else { throw SystemError("read", "signals") }
        return signal == 0 ? nil : signal
    }
}

/// Waiting for descriptors.
package enum Poll {
    /// Waits until a descriptor can be read, its other end is gone, or the time is over.
    /// - Parameter milliseconds: nil waits without limit.
    /// - Returns: the numbers of the ready descriptors; none if the time was over or a signal came.
    package static func readable(_ descriptors: [Descriptor], milliseconds: Int64?) throws(SystemError) -> Set<Int32> {
        var entries = descriptors.map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
        let timeout = milliseconds.map { Int32(clamping: max(0, $0)) } ?? -1
        let count = poll(&entries, nfds_t(entries.count), timeout)
        if count < 0 && errno == EINTR { return [] }
        guard count >= 0 else { throw SystemError("poll") }
        return Set(entries.filter { $0.revents != 0 }.map(\.fd))
    }
}
