import Glibc

/// What a TCP socket has still to deliver.
package enum SendQueue {
    /// Bytes that were written to a connection and that its other end has not acknowledged yet (`SIOCOUTQ`, tcp(7)).
    /// - Parameter number: an open socket, which the caller keeps open meanwhile.
    /// - Returns: nil where the descriptor is no such socket.
    package static func unacknowledgedBytes(socket number: Int32) -> Int? {
        var bytes: Int32 = 0
        // SIOCOUTQ is TIOCOUTQ under another name, which Swift does not see.
        guard ioctl(number, UInt(TIOCOUTQ), &bytes) == 0 else { return nil }
        return Int(bytes)
    }
}
