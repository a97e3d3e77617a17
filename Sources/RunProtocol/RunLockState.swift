import Glibc
import Linux

/// The run lock as it is found by a look at it.
package struct RunLockState: Sendable, Equatable {
    /// Whether somebody holds it; only this decides.
    package let held: Bool
    /// Who wrote that he holds it, for people; nil while it is free or where that cannot be read.
    package let holder: LeaseHolder?

    package init(held: Bool, holder: LeaseHolder?) {
        self.held = held
        self.holder = holder
    }
}

extension RunDirectory {
    /// Asks for the run lock without locking, because a lock taken only to look would make a starter fail. Touches nothing
    /// but the run directory, so that no disk of the script's can hold it up. Blocks as long as that folder's disk does.
    package func runLock() throws(SystemError) -> RunLockState {
        let file: Descriptor
        do {
            file = try Descriptor.open(lockFile, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        } catch {
            if error.isNoSuchFile { return RunLockState(held: false, holder: nil) }
            throw error
        }
        guard try file.isRecordLocked() else { return RunLockState(held: false, holder: nil) }
        return RunLockState(held: true, holder: Self.holder(of: file))
    }

    /// Whether this process took the run lock's flock (proc_locks(5)). The kernel remembers who took it, not who inherited it.
    /// A script that unlocks what it inherited can take the lock itself and is named then.
    package func hasTakenRunLock(_ process: Int32) throws(SystemError) -> Bool {
        let inode = try Files.facts(lockFile, followLink: false).inode
        let table = try Descriptor.open("/proc/locks", O_RDONLY).read(at: 0, count: 1 << 22)
        return table.split(separator: UInt8(ascii: "\n")).contains { line in
            let fields = String(decoding: line, as: UTF8.self).split(separator: " ")
            // By the inode alone: the device in this table is not stat's on every file system.
            return fields.count > 5 && fields[1] == "FLOCK" && fields[4] == "\(process)" && fields[5].hasSuffix(":\(inode)")
        }
    }

    /// Who wrote himself into the lock's file; nil where nobody did or it cannot be read.
    package static func holder(of file: Descriptor) -> LeaseHolder? {
        guard let bytes = try? file.read(at: 0, count: 4096), let message = try? Message(decoding: bytes) else { return nil }
        return LeaseHolder(message)
    }
}
