import Glibc

/// A system call that failed: what was attempted, on what, and the kernel's reason.
public struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The call's name, such as `open`.
    public let operation: String
    /// The path or object it was about, where there is one.
    public let subject: String
    /// The `errno` value.
    public let code: Int32

    /// - Parameter code: an `errno` value; by default that of the call just made on this thread.
    public init(_ operation: String, _ subject: String = "", code: Int32 = errno) {
        self.operation = operation
        self.subject = subject
        self.code = code
    }

    /// The kernel's words for the code, such as "Permission denied".
    public var reason: String {
        guard let text = strerror(code) else { return "error \(code)" }
        return String(cString: text)
    }

    public var description: String {
        subject.isEmpty ? "\(operation): \(reason)" : "\(operation) \(subject): \(reason)"
    }
}

extension SystemError {
    /// The other end of a pipe or socket is gone.
    public var isBrokenPipe: Bool { code == EPIPE || code == ECONNRESET }
    public var isNoSuchFile: Bool { code == ENOENT || code == ENOTDIR }
    public var isPermissionDenied: Bool { code == EACCES || code == EPERM }
    public var isNoSpace: Bool { code == ENOSPC || code == EDQUOT }
    /// The machine lacks something now, or a disk fails: the same call may succeed later, with nothing set otherwise.
    public var mayPass: Bool {
        [
            EAGAIN, ENOMEM, EMFILE, ENFILE, ENOSPC, EDQUOT, EIO, EROFS, ESTALE, ETIMEDOUT, EADDRINUSE, EADDRNOTAVAIL, ECONNREFUSED, ENOBUFS,
        ].contains(code)
    }
    /// What helps where waiting does not, for an error of the machine; nil where it depends on what was asked for.
    public var remedy: String? {
        switch code {
        case EIO, ESTALE, ETIMEDOUT: "check the disk and the kernel's log (journalctl -k)"
        case ENOSPC, EDQUOT: "make room on the disk"
        case EMFILE, ENFILE: "close files, or raise the limit of open files (LimitNOFILE= in a unit)"
        case EAGAIN, ENOMEM, ENOBUFS: "see what uses up the memory or the processes of this machine"
        default: nil
        }
    }
}
