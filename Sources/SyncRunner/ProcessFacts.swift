import Glibc
import Linux

/// What /proc tells of a process beyond its row in the table. What is hidden from us counts as not there.
extension ProcessEntry {
    /// Its command line.
    func arguments() -> [String] {
        guard let file = try? Descriptor.open(folder + "/cmdline", O_RDONLY), let bytes = try? file.read(at: 0, count: 1 << 16) else { return [] }
        var parts = bytes.split(separator: 0, omittingEmptySubsequences: false)
        if parts.last?.isEmpty == true { parts.removeLast() }
        return parts.map { String(decoding: $0, as: UTF8.self) }
    }

    /// A path from its command line as the process itself would find it, from its folder and its root.
    func resolve(_ argument: String) -> String {
        if argument.hasPrefix("/dev/fd/") || argument.hasPrefix("/proc/self/fd/") { return "\(folder)/fd/\(ScriptInterpreter.base(argument))" }
        if argument == "/dev/stdin" { return folder + "/fd/0" }
        guard argument.hasPrefix("/") else { return "\(folder)/cwd/\(argument)" }
        return access(folder + "/root/.", F_OK) == 0 ? folder + "/root" + argument : argument
    }

    /// What its descriptors lead to. Looks at no file: one may lie on a disk that hangs.
    func openFiles() -> [String] {
        ((try? Files.names(in: folder + "/fd")) ?? []).compactMap { try? Files.linkTarget("\(folder)/fd/\($0)") }
    }

    /// Whether it has this file open, by whatever name.
    func hasOpen(_ file: FileFacts) -> Bool {
        ((try? Files.names(in: folder + "/fdinfo")) ?? []).contains { number in
            guard let info = try? Descriptor.open("\(folder)/fdinfo/\(number)", O_RDONLY), let bytes = try? info.read(at: 0, count: 4096) else { return false }
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            // Only a file with the same number is looked at; before Linux 5.14 the line is missing.
            if let line = lines.first(where: { $0.hasPrefix("ino:") }), line.split(separator: "\t").last.map(String.init) != String(file.inode) {
                return false
            }
            return (try? Files.facts("\(folder)/fd/\(number)", followLink: true)).map { $0.isSameFile(as: file) } ?? false
        }
    }

    /// Whether one of its user numbers (real, effective, saved, file system) is among these.
    func mayAct(as users: [UInt32]) -> Bool {
        guard let file = try? Descriptor.open(folder + "/status", O_RDONLY), let bytes = try? file.read(at: 0, count: 8192),
            let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first(where: { $0.hasPrefix("Uid:") })
        else {
            // It ended while we looked; one that lives shows this to everybody.
            return access(folder, F_OK) == 0
        }
        return line.split(separator: "\t").dropFirst().contains { UInt32($0).map(users.contains) ?? true }
    }

    #if arch(x86_64)
        private static let readNumber: Substring = "0"
    #else
        private static let readNumber: Substring = "63"
    #endif

    /// Whether it is stopped in read(2) on that descriptor (/proc/PID/syscall, for root and those who may trace it).
    func waitsForInput(_ number: Int32) -> Bool {
        guard let file = try? Descriptor.open(folder + "/syscall", O_RDONLY), let bytes = try? file.read(at: 0, count: 256) else { return false }
        let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        return fields.count > 1 && fields[0] == Self.readNumber && fields[1] == "0x\(String(number, radix: 16))"
    }

    /// Whether it has a terminal that can send it signals (/proc/PID/stat, tty_nr).
    func hasTerminal() -> Bool {
        guard let file = try? Descriptor.open(folder + "/stat", O_RDONLY), let bytes = try? file.read(at: 0, count: 4096),
            let bracket = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return false }
        let fields = bytes[(bracket + 1)...].split(separator: UInt8(ascii: " "))
        return fields.count > 4 && !fields[4].elementsEqual("0".utf8)
    }
}
