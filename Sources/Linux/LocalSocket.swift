import CLinux
import Glibc

/// Stream sockets with a name in the file system.
///
/// A socket's address holds 107 bytes, and the path of a run directory may be longer. So the folder is opened, and the address
/// leads through /proc/self/fd.
package enum LocalSocket {
    /// Creates a socket that waits for connections. It changes the process's umask for a moment.
    /// - Parameter mode: the socket's permissions. To connect, a user needs the right to write.
    /// - Throws: if the path exists.
    package static func listen(_ path: String, mode: mode_t) throws(SystemError) -> Descriptor {
        let socket = try make()
        // No chmod afterwards: another user who can write in the folder could first put a link to a file of ours there.
        let before = umask(~mode & 0o777)
        defer { umask(before) }
        try withAddress(path) { address, length in Glibc.bind(socket.number, address, length) }
        guard Glibc.listen(socket.number, 8) == 0 else { throw SystemError("listen", path) }
        return socket
    }

    /// Connects to a socket.
    /// - Throws: `ETIMEDOUT` if the listener's queue stays full for five seconds.
    package static func connect(_ path: String) throws(SystemError) -> Descriptor {
        let socket = try make()
        // The limit also holds for connect(2), and later for every write (socket(7)).
        var patience = timeval(tv_sec: 5, tv_usec: 0)
        guard setsockopt(socket.number, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size)) == 0 else {
            throw SystemError("setsockopt", path)
        }
        do {
            try withAddress(path) { address, length in Glibc.connect(socket.number, address, length) }
        } catch  where error.code == EAGAIN {
            throw SystemError("socket", path, code: ETIMEDOUT)
        }
        return socket
    }

    /// The next waiting connection.
    package static func accept(_ socket: Descriptor) throws(SystemError) -> Descriptor {
        let number = retrying { Glibc.accept(socket.number, nil, nil) }
        guard number >= 0 else { throw SystemError("accept") }
        let connection = Descriptor(owning: number)
        guard Glibc.fcntl(number, F_SETFD, FD_CLOEXEC) == 0 else { throw SystemError("fcntl", "FD_CLOEXEC") }
        return connection
    }

    /// The user at the other end of a connection, as the kernel knows it (SO_PEERCRED, unix(7)).
    package static func peerUser(_ connection: Descriptor) throws(SystemError) -> UInt32 {
        var user: UInt32 = 0
        guard clinux_peer_user(connection.number, &user) == 0 else { throw SystemError("getsockopt", "SO_PEERCRED") }
        return user
    }

    /// The process that listened where we connected, as the kernel knows it (SO_PEERCRED, unix(7)).
    package static func peerProcess(_ connection: Descriptor) throws(SystemError) -> Int32 {
        let process = clinux_peer_process(connection.number)
        guard process > 0 else { throw SystemError("getsockopt", "SO_PEERCRED") }
        return process
    }

    /// Ends our half of the connection. What the other end still sends can be read.
    package static func endWriting(_ socket: Descriptor) { _ = Glibc.shutdown(socket.number, Int32(SHUT_WR)) }

    private static func make() throws(SystemError) -> Descriptor {
        let number = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemError("socket") }
        return Descriptor(owning: number)
    }

    private static func withAddress(
        _ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(SystemError) {
        let folder = try Descriptor.open(Files.folder(of: path), O_RDONLY | O_DIRECTORY)
        let name = path.utf8.split(separator: UInt8(ascii: "/")).last.map { String(Substring($0)) } ?? ""
        let short = Array("/proc/self/fd/\(folder.number)/\(name)".utf8)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard short.count < MemoryLayout.size(ofValue: address.sun_path) else { throw SystemError("bind", path, code: ENAMETOOLONG) }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: short) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else { throw SystemError("socket", path) }
        withExtendedLifetime(folder) {}
    }
}
