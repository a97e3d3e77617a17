import Glibc
import Linux
import TestSupport
import Testing

/// A folder of the same form as /proc. Its processes have numbers that the kernel never gives.
struct FakeProc {
    let folder: TemporaryFolder
    var table: ProcessTable { ProcessTable(root: folder.path) }

    init(mounts: String = "proc /proc proc rw 0 0\n") throws {
        folder = try TemporaryFolder()
        try makeFolder("1")
        try write("1/stat", "1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9\n")
        try makeFolder("self")
        try write("self/mounts", mounts)
    }

    /// - Parameters:
    ///   - name: the kernel's name for the process.
    ///   - program: what `exe` leads to; nil if that is hidden, as for another user's process.
    ///   - open: descriptors and the files that they lead to.
    ///   - locked: the descriptors whose files hold a lock.
    func add(
        _ pid: Int32, _ name: String, program: String?, _ arguments: [String], parent: Int32 = 1, user: UInt32 = 0, environment: [String] = [],
        terminal: Int = 0, open: [Int: String] = [:], locked: Set<Int> = [], cwd: String? = nil, syscall: String = "running"
    ) throws {
        for folder in ["", "/fd", "/fdinfo"] { try makeFolder("\(pid)\(folder)") }
        try write("\(pid)/stat", "\(pid) (\(name)) S \(parent) \(pid) \(pid) \(terminal) -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 9\n")
        try write("\(pid)/status", "Name:\t\(name)\nUid:\t\(user)\t\(user)\t\(user)\t\(user)\n")
        try write("\(pid)/cmdline", arguments.map { $0 + "\0" }.joined())
        try write("\(pid)/environ", environment.map { $0 + "\0" }.joined())
        try write("\(pid)/syscall", syscall)
        if let program { try link("\(pid)/exe", program) }
        if let cwd { try link("\(pid)/cwd", cwd) }
        for (number, path) in open {
            try link("\(pid)/fd/\(number)", path)
            try write("\(pid)/fdinfo/\(number)", "pos:\t0\n" + (locked.contains(number) ? "lock:\t1: FLOCK  ADVISORY  WRITE 9 00:1f:9 0 EOF\n" : ""))
        }
    }

    private func makeFolder(_ name: String) throws { try #require(mkdir(folder(name), 0o700) == 0) }

    private func link(_ name: String, _ target: String) throws { try #require(symlink(target, folder(name)) == 0) }

    private func write(_ name: String, _ text: String) throws {
        try Descriptor.open(folder(name), O_WRONLY | O_CREAT | O_EXCL).write(Array(text.utf8))
    }
}
