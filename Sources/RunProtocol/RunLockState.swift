import Glibc
import Linux

/// What a look at the run lock shows.
package struct RunLockState: Sendable, Equatable {
    /// Whether a process holds it. Decisions rest on this alone.
    package let held: Bool
    /// What the holder wrote about itself, for people; nil while the lock is free or if the text cannot be read.
    package let holder: RunLockHolder?

    package init(held: Bool, holder: RunLockHolder?) {
        self.held = held
        self.holder = holder
    }
}

extension RunDirectory {
    /// Looks at the run lock without taking it; if it took it, a start at that moment would fail. It touches only the run
    /// directory, so a hung disk of the script cannot delay it. Blocks as long as the disk of the run directory does.
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

    /// Whether this process took the run lock's flock (proc_locks(5)). The kernel remembers the process that took it, not the
    /// heirs. A script that frees the inherited lock and takes it again is the one named here.
    package func hasTakenRunLock(_ process: Int32) throws(SystemError) -> Bool {
        let inode = try Files.facts(lockFile, followLink: false).inode
        let table = try Descriptor.open("/proc/locks", O_RDONLY).read(at: 0, count: 1 << 22)
        return table.split(separator: UInt8(ascii: "\n")).contains { line in
            let fields = String(decoding: line, as: UTF8.self).split(separator: " ")
            // Compares only the inode, because on some file systems the device in this table is not that of stat(2).
            return fields.count > 5 && fields[1] == "FLOCK" && fields[4] == "\(process)" && fields[5].hasSuffix(":\(inode)")
        }
    }

    /// What the holder wrote into the lock's file; nil if there is nothing or it cannot be read.
    package static func holder(of file: Descriptor) -> RunLockHolder? {
        guard let bytes = try? file.read(at: 0, count: 4096), let message = try? Message(decoding: bytes) else { return nil }
        return RunLockHolder(message)
    }
}
