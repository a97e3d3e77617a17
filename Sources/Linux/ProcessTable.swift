import Glibc

/// A process as /proc/PID/stat shows it to everybody (proc(5)).
package struct ProcessEntry: Sendable, Equatable {
    package let pid: Int32
    package let parent: Int32
    /// The kernel's own name for it, at most 15 bytes: the program's or the script's, unless the process changed it.
    package let name: String
    /// A thread of the kernel, which executes no program.
    package let isKernelThread: Bool

    /// - Parameter stat: the content of /proc/PID/stat.
    /// - Returns: nil where the process has ended and only waits to be collected, or the text is not of that form.
    package init?(stat: some Collection<UInt8>) {
        let text = Array(stat)
        // The name stands in brackets and may itself hold brackets and blanks.
        guard let opening = text.firstIndex(of: UInt8(ascii: "(")), let closing = text.lastIndex(of: UInt8(ascii: ")")), opening < closing,
            let pid = Int32(String(decoding: text[..<opening].filter { $0 != UInt8(ascii: " ") }, as: UTF8.self))
        else { return nil }
        let fields = text[(closing + 1)...].split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
        guard fields.count >= 18, let parent = Int32(fields[1]), let flags = UInt32(fields[6]), let threads = Int(fields[17]) else { return nil }
        // A process whose first thread has left shows as ended too, while its others go on.
        guard fields[0] != "Z" && fields[0] != "X" || threads > 1 else { return nil }
        self.pid = pid
        self.parent = parent
        name = String(decoding: text[(opening + 1)..<closing], as: UTF8.self)
        isKernelThread = flags & 0x0020_0000 != 0  // PF_KTHREAD
    }

    /// Its folder under /proc.
    package var folder: String { "/proc/\(pid)" }
}

/// The processes of the machine, or of our PID namespace.
package enum ProcessTable {
    /// The processes that run now. One that forks while we look may be missed: ask again.
    package static func entries() -> [ProcessEntry] {
        ((try? Files.names(in: "/proc")) ?? []).compactMap { name in
            guard Int32(name) != nil, let file = try? Descriptor.open("/proc/\(name)/stat", O_RDONLY), let text = try? file.read(at: 0, count: 4096)
            else { return nil }
            return ProcessEntry(stat: text)
        }
    }

    /// The processes of `entries` whose chain of parents leads to `roots`, these left out.
    package static func descendants(of roots: [Int32], in entries: [ProcessEntry]) -> [Int32] {
        var children = Dictionary(grouping: entries, by: \.parent).mapValues { $0.map(\.pid) }
        var found: [Int32] = []
        var frontier = roots
        while let next = frontier.popLast() {
            let own = children.removeValue(forKey: next) ?? []
            found += own
            frontier += own
        }
        return found
    }
}
