import Glibc

/// A system call that failed: the call, its object and the kernel's reason.
package struct SystemError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The call's name, such as `open`.
    package let operation: String
    /// The path or object of the call; empty if there is none.
    package let subject: String
    /// The `errno` value.
    package let code: Int32

    /// - Parameter code: an `errno` value; by default that of the last call on this thread.
    package init(_ operation: String, _ subject: String = "", code: Int32 = errno) {
        self.operation = operation
        self.subject = subject
        self.code = code
    }

    /// The text for the code, such as "Permission denied".
    package var reason: String {
        guard let text = strerror(code) else { return "error \(code)" }
        return String(cString: text)
    }

    package var description: String {
        subject.isEmpty ? "\(operation): \(reason)" : "\(operation) \(subject): \(reason)"
    }
}

extension SystemError {
    /// The other end of a pipe or socket is gone.
    package var isBrokenPipe: Bool { code == EPIPE || code == ECONNRESET }
    package var isNoSuchFile: Bool { code == ENOENT || code == ENOTDIR }
    package var isPermissionDenied: Bool { code == EACCES || code == EPERM }
    package var isNoSpace: Bool { code == ENOSPC || code == EDQUOT }
    /// The machine lacks something now, or a disk fails. The same call may succeed later without a change of settings.
    package var mayPass: Bool {
        [
            EAGAIN, ENOMEM, EMFILE, ENFILE, ENOSPC, EDQUOT, EIO, EROFS, ESTALE, ETIMEDOUT, EADDRINUSE, EADDRNOTAVAIL, ECONNREFUSED, ENOBUFS,
        ].contains(code)
    }
    /// What the operator can do if waiting does not help; nil if that depends on the call.
    package var remedy: String? {
        switch code {
        case EIO, ESTALE, ETIMEDOUT: "check the disk and the kernel's log (journalctl -k)"
        case ENOSPC, EDQUOT: "make room on the disk"
        case EMFILE, ENFILE: "close files, or raise the limit of open files (LimitNOFILE= in a unit)"
        case EAGAIN, ENOMEM, ENOBUFS: "see what uses up the memory or the processes of this machine"
        default: nil
        }
    }
}
