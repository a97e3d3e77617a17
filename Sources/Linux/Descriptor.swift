import CLinux
import Glibc

/// An open file descriptor. It is closed when the last reference to it ends. Every descriptor made here is close-on-exec.
package final class Descriptor: Sendable {
    /// The kernel's number. It is valid while this object lives.
    package let number: Int32

    /// Takes ownership of an open descriptor.
    package init(owning number: Int32) { self.number = number }

    deinit { _ = Glibc.close(number) }

    /// A copy with a number of 10 or above, so that setting up a child's descriptors does not overwrite it.
    package func movedUp() throws(SystemError) -> Descriptor {
        let moved = clinux_move_descriptor(number, 10)
        guard moved >= 0 else { throw SystemError("fcntl", "F_DUPFD_CLOEXEC") }
        return Descriptor(owning: moved)
    }

    /// Opens a path with O_CLOEXEC added. `mode` counts only with O_CREAT.
    package static func open(_ path: String, _ flags: Int32, mode: mode_t = 0o640) throws(SystemError) -> Descriptor {
        let number = retrying { Glibc.open(path, flags | O_CLOEXEC, mode) }
        guard number >= 0 else { throw SystemError("open", path) }
        return Descriptor(owning: number)
    }

    /// A pipe.
    package static func pipe() throws(SystemError) -> (read: Descriptor, write: Descriptor) {
        var ends: [Int32] = [-1, -1]
        guard clinux_pipe(&ends) == 0 else { throw SystemError("pipe") }
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }

    /// Two connected stream sockets.
    package static func socketPair() throws(SystemError) -> (Descriptor, Descriptor) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard Glibc.socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw SystemError("socketpair") }
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }

    /// Reads at most `buffer.count` bytes into the front of `buffer`.
    /// - Returns: the number of bytes; 0 at the end of the file; nil if a non-blocking descriptor has nothing now.
    package func read(into buffer: inout [UInt8]) throws(SystemError) -> Int? {
        let count = retrying { Glibc.read(number, &buffer, buffer.count) }
        if count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) { return nil }
        guard count >= 0 else { throw SystemError("read") }
        return count
    }

    /// Reads `count` bytes at `offset`. There are fewer only at the end of the file.
    package func read(at offset: Int64, count: Int) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                retrying { Glibc.pread(number, buffer.baseAddress.map { $0 + filled }, count - filled, Int(offset) + filled) }
            }
            guard got >= 0 else { throw SystemError("pread") }
            if got == 0 { break }
            filled += got
        }
        bytes.removeLast(count - filled)
        return bytes
    }

    /// Writes all of `bytes` at the current position. The process must ignore SIGPIPE; a closed pipe is then the error EPIPE.
    package func write(_ bytes: [UInt8]) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                retrying { Glibc.write(number, buffer.baseAddress.map { $0 + written }, buffer.count - written) }
            }
            guard count >= 0 else { throw SystemError("write") }
            written += count
        }
    }

    /// Writes all of `bytes` at `offset`. The current position stays.
    package func write(_ bytes: ArraySlice<UInt8>, at offset: Int64) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                retrying {
                    Glibc.pwrite(number, buffer.baseAddress.map { $0 + written }, buffer.count - written, Int(offset) + written)
                }
            }
            guard count >= 0 else { throw SystemError("pwrite") }
            written += count
        }
    }

    /// What fstat(2) says of the file.
    package func facts() throws(SystemError) -> FileFacts {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw SystemError("fstat") }
        return FileFacts(status)
    }

    /// Returns once all written bytes are on the disk (fsync(2)).
    package func sync() throws(SystemError) {
        guard retrying({ Glibc.fsync(number) }) == 0 else { throw SystemError("fsync") }
    }

    /// Takes disk space for the first `bytes` bytes of the file.
    package func reserve(_ bytes: Int64) throws(SystemError) {
        let failure = posix_fallocate(number, 0, Int(bytes))
        guard failure == 0 else { throw SystemError("fallocate", code: failure) }
    }

    /// Cuts or extends the file to a length.
    package func truncate(to bytes: Int64) throws(SystemError) {
        guard ftruncate(number, Int(bytes)) == 0 else { throw SystemError("ftruncate") }
    }

    /// Makes reads and writes return at once if they would have to wait.
    package func makeNonBlocking() throws(SystemError) {
        let flags = Glibc.fcntl(number, F_GETFL)
        guard flags >= 0, Glibc.fcntl(number, F_SETFL, flags | O_NONBLOCK) == 0 else { throw SystemError("fcntl", "O_NONBLOCK") }
    }
}

/// Repeats a call that a signal interrupted.
func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}

extension Descriptor {
    /// Descriptors 0, 1 and 2 as this process was given them.
    package static let standardInput = Descriptor(owning: STDIN_FILENO)
    package static let standardOutput = Descriptor(owning: STDOUT_FILENO)
    package static let standardError = Descriptor(owning: STDERR_FILENO)
}
