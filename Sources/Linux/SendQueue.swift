import Glibc

/// The bytes that a TCP socket has still to deliver.
package enum SendQueue {
    /// How many written bytes the other end has not acknowledged yet (`SIOCOUTQ`, tcp(7)).
    /// - Parameter number: an open socket, which the caller keeps open meanwhile.
    /// - Returns: nil if the descriptor is no such socket.
    package static func unacknowledgedBytes(socket number: Int32) -> Int? {
        var bytes: Int32 = 0
        // SIOCOUTQ is another name of TIOCOUTQ. Swift cannot import it.
        guard ioctl(number, UInt(TIOCOUTQ), &bytes) == 0 else { return nil }
        return Int(bytes)
    }
}
