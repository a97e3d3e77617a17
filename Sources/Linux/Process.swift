import CLinux
import Glibc

/// This process and its children.
package enum Process {
    /// Starts a program in a session of its own, with an empty signal mask, default signal dispositions and no
    /// descriptors but those given.
    /// - Parameters:
    ///   - environment: `NAME=value` entries, the whole environment of the child.
    ///   - directory: its working directory; nil means ours.
    ///   - descriptors: become 0, 1, 2 and so on in the child.
    ///   - kept: one more descriptor, and its number in the child, which must be above all numbers in use here.
    ///   - scoped: if true, the child and its descendants can neither signal nor trace any other process (Landlock,
    ///     landlock(7); kernels before 6.12 ignore it), nor set the limits of another process, even of their own.
    /// - Returns: the child's process number.
    /// - Throws: also if exec fails, such as for a missing interpreter.
    package static func spawn(
        _ path: String, arguments: [String], environment: [String], directory: String?, descriptors: [Descriptor],
        kept: (descriptor: Descriptor, number: Int32)? = nil, scoped: Bool = false
    ) throws(SystemError) -> Int32 {
        // Their numbers must be above the target numbers, or a dup2 in the child would overwrite the source of a later one.
        var moved: [Descriptor] = []
        for descriptor in descriptors { moved.append(try descriptor.movedUp()) }
        var child: pid_t = 0
        let numbers = moved.map(\.number)
        let failure = withCStrings(arguments) { argv in
            withCStrings(environment) { envp in
                clinux_spawn(
                    &child, path, argv, envp, directory, numbers, Int32(numbers.count), kept?.descriptor.number ?? -1, kept?.number ?? -1,
                    scoped ? 1 : 0)
            }
        }
        withExtendedLifetime((moved, kept)) {}
        guard failure == 0 else { throw SystemError("exec", path, code: failure) }
        return child
    }

    /// How a child ended.
    package enum End: Sendable, Equatable { case exited(Int32), killed(signal: Int32) }

    /// Collects one child that has ended, our own or adopted, without waiting.
    /// - Returns: its number and how it ended; nil if no child has ended.
    package static func reap() -> (pid: Int32, end: End)? {
        var status: Int32 = 0
        let pid = retrying { waitpid(-1, &status, WNOHANG) }
        guard pid > 0 else { return nil }
        let signal = status & 0x7f
        return (pid, signal == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: signal))
    }

    /// Whether we have a child that lives or is not collected yet.
    package static func hasChildren() -> Bool {
        var info = siginfo_t()
        return retrying { waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) } == 0
    }

    /// Makes orphans among our descendants our children, instead of init's. So none can hide from us in a session of its own.
    package static func becomeSubreaper() throws(SystemError) {
        guard clinux_become_subreaper() == 0 else { throw SystemError("prctl", "PR_SET_CHILD_SUBREAPER") }
    }

    /// From now on neither this process nor a child gains rights by executing a setuid program.
    package static func giveUpNewPrivileges() throws(SystemError) {
        guard clinux_no_new_privileges() == 0 else { throw SystemError("prctl", "PR_SET_NO_NEW_PRIVS") }
    }

    /// Forbids unprivileged processes to trace us or read our memory, even those of our own user (ptrace(2)).
    package static func forbidTracing() throws(SystemError) {
        guard clinux_not_dumpable() == 0 else { throw SystemError("prctl", "PR_SET_DUMPABLE") }
    }

    /// Forbids core files, because they would hold secrets and data.
    package static func forbidCoreFiles() throws(SystemError) {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        guard setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none) == 0 else { throw SystemError("setrlimit", "RLIMIT_CORE") }
    }

    /// Raises the limit of open descriptors, up to the hard limit.
    /// - Returns: the limit that now holds.
    package static func raiseDescriptorLimit(to wanted: Int) -> Int { setDescriptorLimit { max($0, UInt(wanted)) } }

    /// Lowers the limit of open descriptors to 1024, because select(2) fails with higher numbers.
    /// - Returns: the limit that now holds.
    @discardableResult
    package static func lowerDescriptorLimit() -> Int { setDescriptorLimit { min($0, 1024) } }

    private static func setDescriptorLimit(_ change: (UInt) -> UInt) -> Int {
        var limits = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else { return 1024 }
        let before = limits.rlim_cur
        limits.rlim_cur = min(limits.rlim_max, change(before))
        guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else { return Int(clamping: before) }
        return Int(clamping: limits.rlim_cur)
    }

    /// All our descendants. A process that forks meanwhile may be missed; ask again.
    package static func descendants() -> [Int32] { ProcessTable.descendants(of: [getpid()], in: ProcessTable().entries()) }
}

/// Calls `body` with a NULL-terminated array of C strings.
private func withCStrings<Result>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result) -> Result {
    let copies = strings.map { strdup($0) }
    defer { copies.forEach { free($0) } }
    return body(copies + [nil])
}
