import Glibc

/// A process as /proc/PID/stat shows it to everybody (proc(5)).
package struct ProcessEntry: Sendable, Equatable {
    package let pid: Int32
    package let parent: Int32
    /// The kernel's name for it, at most 15 bytes. It is that of the program or script, unless the process changed it.
    package let name: String
    /// Whether it is a thread of the kernel, which executes no program.
    package let isKernelThread: Bool

    /// Its folder, such as `/proc/42`.
    package let folder: String

    /// - Parameters:
    ///   - stat: the content of /proc/PID/stat.
    ///   - root: the folder of all processes.
    /// - Returns: nil if the process has ended and waits to be collected, or the text is malformed.
    package init?(stat: some Collection<UInt8>, root: String = "/proc") {
        let text = Array(stat)
        // The name is in brackets and may contain brackets and blanks.
        guard let opening = text.firstIndex(of: UInt8(ascii: "(")), let closing = text.lastIndex(of: UInt8(ascii: ")")), opening < closing,
            let pid = Int32(String(decoding: text[..<opening].filter { $0 != UInt8(ascii: " ") }, as: UTF8.self))
        else { return nil }
        let fields = text[(closing + 1)...].split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
        guard fields.count >= 18, let parent = Int32(fields[1]), let flags = UInt32(fields[6]), let threads = Int(fields[17]) else { return nil }
        // A process whose first thread has ended looks like one that has ended, but its other threads go on.
        guard fields[0] != "Z" && fields[0] != "X" || threads > 1 else { return nil }
        self.pid = pid
        self.parent = parent
        name = String(decoding: text[(opening + 1)..<closing], as: UTF8.self)
        isKernelThread = flags & 0x0020_0000 != 0  // PF_KTHREAD
        folder = "\(root)/\(pid)"
    }
}

/// The processes of the machine, or of our PID namespace.
package struct ProcessTable: Sendable {
    /// The folder of all processes.
    package let root: String

    /// - Parameter root: for tests, a folder of the same form as /proc.
    package init(root: String = "/proc") { self.root = root }

    /// The processes that run now. A process that forks meanwhile may be missed; ask again.
    package func entries() -> [ProcessEntry] {
        ((try? Files.names(in: root)) ?? []).compactMap { name in
            guard Int32(name) != nil, let file = try? Descriptor.open("\(root)/\(name)/stat", O_RDONLY), let text = try? file.read(at: 0, count: 4096)
            else { return nil }
            return ProcessEntry(stat: text, root: root)
        }
    }

    /// The processes of `entries` that descend from `roots`, without `roots` themselves.
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
