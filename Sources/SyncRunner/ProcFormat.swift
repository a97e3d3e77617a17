/// Parses the texts of files under /proc (proc(5)).
enum ProcFormat {
    /// The command line in `cmdline`.
    static func arguments(cmdline: [UInt8]) -> [String] {
        var parts = cmdline.split(separator: 0, omittingEmptySubsequences: false)
        if parts.last?.isEmpty == true { parts.removeLast() }
        return parts.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether `environ` contains this entry.
    static func contains(environ: [UInt8], _ entry: String) -> Bool { environ.split(separator: 0).contains { $0.elementsEqual(entry.utf8) } }

    /// Whether the file of this `fdinfo` may have this inode number. Before Linux 5.14 the line `ino:` is missing.
    static func mayHaveInode(fdinfo: [UInt8], _ inode: UInt64) -> Bool {
        guard let line = lines(fdinfo).first(where: { $0.hasPrefix("ino:") }) else { return true }
        return line.split(separator: "\t").last == "\(inode)"
    }

    /// Whether this `fdinfo` lists a lock, flock or of the open file description.
    static func hasLock(fdinfo: [UInt8]) -> Bool { lines(fdinfo).contains { $0.hasPrefix("lock:") } }

    /// Whether one of the user numbers in `status` (real, effective, saved, file system) is among `users`.
    /// - Returns: true for a number that cannot be read; nil if there is no such line.
    static func mayAct(status: [UInt8], as users: [UInt32]) -> Bool? {
        lines(status).first { $0.hasPrefix("Uid:") }?.split(separator: "\t").dropFirst().contains { UInt32($0).map(users.contains) ?? true }
    }

    #if arch(x86_64)
        private static let readNumber: Substring = "0"
    #else
        private static let readNumber: Substring = "63"
    #endif

    /// Whether `syscall` shows a process that waits in read(2) on this descriptor.
    static func waitsForInput(syscall: [UInt8], _ number: Int32) -> Bool {
        let fields = String(decoding: syscall, as: UTF8.self).split(separator: " ")
        return fields.count > 1 && fields[0] == readNumber && fields[1] == "0x\(String(number, radix: 16))"
    }

    /// Whether `stat` names a controlling terminal (tty_nr).
    static func hasTerminal(stat: [UInt8]) -> Bool {
        guard let bracket = stat.lastIndex(of: UInt8(ascii: ")")) else { return false }
        let fields = stat[(bracket + 1)...].split(separator: UInt8(ascii: " "))
        return fields.count > 4 && !fields[4].elementsEqual("0".utf8)
    }

    /// Whether `mounts` says that /proc hides the processes of other users.
    static func hidesProcesses(mounts: [UInt8]) -> Bool {
        lines(mounts).contains { line in
            let fields = line.split(separator: " ")
            return fields.count > 3 && fields[1] == "/proc"
                && fields[3].split(separator: ",").contains { $0.hasPrefix("hidepid=") && !["hidepid=0", "hidepid=off"].contains($0) }
        }
    }

    /// Whether /proc/locks lists a lock on a file with this inode number. Compares only the inode, because on some file systems
    /// the device in this table is not that of stat(2).
    static func isLocked(locks: [UInt8], inode: UInt64) -> Bool {
        lines(locks).contains { $0.split(separator: " ").contains { $0.hasSuffix(":\(inode)") } }
    }

    private static func lines(_ text: [UInt8]) -> [Substring] { String(decoding: text, as: UTF8.self).split(separator: "\n") }
}
