import Glibc
import Linux

/// What /proc shows of a process beyond its row in the table. What is hidden from us counts as absent.
extension ProcessEntry {
    /// Its command line.
    func arguments() -> [String] { read("cmdline", 1 << 16).map(ProcFormat.arguments) ?? [] }

    /// A path from its command line as the process itself would find it, from its folder and its root.
    func resolve(_ argument: String) -> String {
        if argument.hasPrefix("/dev/fd/") || argument.hasPrefix("/proc/self/fd/") { return "\(folder)/fd/\(ScriptInterpreter.base(argument))" }
        if argument == "/dev/stdin" { return folder + "/fd/0" }
        guard argument.hasPrefix("/") else { return "\(folder)/cwd/\(argument)" }
        return access(folder + "/root/.", F_OK) == 0 ? folder + "/root" + argument : argument
    }

    /// The paths of its open files. It touches none of the files, because one may lie on a disk that hangs.
    func openFiles() -> [String] {
        ((try? Files.names(in: folder + "/fd")) ?? []).compactMap { try? Files.linkTarget("\(folder)/fd/\($0)") }
    }

    /// Whether it has this file open, under any name. It touches only files with the same inode number.
    func hasOpen(_ file: FileFacts) -> Bool {
        hasDescriptor(of: file) { ProcFormat.mayHaveInode(fdinfo: $0, file.inode) }
    }

    /// Whether it has an open file that holds a lock on this file. It touches only files with locks.
    func holdsLock(on file: FileFacts) -> Bool { !isKernelThread && hasDescriptor(of: file, where: ProcFormat.hasLock) }

    private func hasDescriptor(of file: FileFacts, where mayBe: ([UInt8]) -> Bool) -> Bool {
        ((try? Files.names(in: folder + "/fdinfo")) ?? []).contains { number in
            guard let info = read("fdinfo/\(number)", 8192), mayBe(info) else { return false }
            return (try? Files.facts("\(folder)/fd/\(number)", followLink: true))?.isSameFile(as: file) ?? false
        }
    }

    /// Whether one of its user numbers is among `users`.
    func mayAct(as users: [UInt32]) -> Bool {
        // Every living process shows its status to everybody. Without it, this one has just ended.
        read("status", 8192).flatMap { ProcFormat.mayAct(status: $0, as: users) } ?? (access(folder, F_OK) == 0)
    }

    /// Whether it waits in read(2) on this descriptor. Only root and processes that may trace it can see that.
    func waitsForInput(_ number: Int32) -> Bool { read("syscall", 256).map { ProcFormat.waitsForInput(syscall: $0, number) } ?? false }

    /// Whether it has a terminal, which can send it signals.
    func hasTerminal() -> Bool { read("stat", 4096).map(ProcFormat.hasTerminal) ?? false }

    /// Whether it was started with the run's number in its environment.
    func belongs(to run: Int64) -> Bool { read("environ", 1 << 20).map { ProcFormat.contains(environ: $0, "SYNC_RUN_ID=\(run)") } ?? false }

    private func read(_ name: String, _ count: Int) -> [UInt8]? {
        guard let file = try? Descriptor.open("\(folder)/\(name)", O_RDONLY) else { return nil }
        return try? file.read(at: 0, count: count)
    }
}
