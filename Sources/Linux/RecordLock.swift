import CLinux
import Glibc

/// Open file description locks (fcntl(2), F_OFD_SETLK). They belong to the open file: a child that inherits the descriptor
/// keeps them, and closing another descriptor of the same file does not drop them.
extension Descriptor {
    /// Takes an exclusive lock on the whole file without waiting.
    /// - Returns: false if another open file holds one.
    package func takeRecordLock() throws(SystemError) -> Bool {
        if clinux_ofd_lock(number) == 0 { return true }
        guard errno == EAGAIN || errno == EACCES else { throw SystemError("fcntl", "F_OFD_SETLK") }
        return false
    }

    /// Drops the lock for every copy of the descriptor, in every process.
    package func dropRecordLock() throws(SystemError) {
        guard clinux_ofd_unlock(number) == 0 else { throw SystemError("fcntl", "F_OFD_SETLK") }
    }

    /// Whether another open file holds a lock. It takes none itself.
    package func isRecordLocked() throws(SystemError) -> Bool {
        let answer = clinux_ofd_is_locked(number)
        guard answer >= 0 else { throw SystemError("fcntl", "F_OFD_GETLK") }
        return answer == 1
    }
}
