import Glibc

/// Talks to the service manager (sd_notify(3), sd_listen_fds(3)). Without one, nothing happens.
package enum ServiceManager {
    /// Sends lines such as `READY=1`. Failures are ignored, because the manager has its own deadlines.
    package static func notify(_ state: String) {
        guard let path = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }), let first = path.utf8.first,
            first == UInt8(ascii: "/") || first == UInt8(ascii: "@")
        else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        // A name with @ is an abstract socket. For the kernel it begins with a zero byte.
        if name[0] == UInt8(ascii: "@") { name[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let number = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { return }
        let socket = Descriptor(owning: number)
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(socket.number, state, state.utf8.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }

    /// The manager expects `WATCHDOG=1` at least this often, in microseconds; nil if it does not expect it.
    package static var watchdogMicroseconds: Int64? {
        getenv("WATCHDOG_USEC").flatMap { Int64(String(cString: $0)) }.flatMap { $0 > 0 ? $0 : nil }
    }

    /// Takes over the listening socket that the manager opened for us.
    /// - Returns: nil unless the manager handed exactly one listening socket to this process.
    package static func takeSocket() -> Descriptor? {
        guard getenv("LISTEN_PID").flatMap({ Int32(String(cString: $0)) }) == getpid(),
            getenv("LISTEN_FDS").map({ String(cString: $0) }) == "1"
        else { return nil }
        let socket = Descriptor(owning: 3)
        guard fcntl(socket.number, F_SETFD, FD_CLOEXEC) == 0 else { return nil }
        // With Accept=yes it is a connection.
        var listens: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(socket.number, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0, listens == 1 else { return nil }
        return socket
    }
}
