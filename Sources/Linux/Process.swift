import CLinux
import Glibc

/// What the kernel lets a process do to itself and to its children.
package enum Process {
    /// Starts a program in a session of its own, with an empty signal mask, default signal dispositions and no
    /// descriptors but those given.
    /// - Parameters:
    ///   - environment: `NAME=value` entries, the whole environment of the child.
    ///   - directory: its working directory; nil keeps ours.
    ///   - descriptors: become 0, 1, 2 … in the child.
    ///   - kept: one more descriptor and its number in the child, which must be above all numbers in use here.
    ///   - scoped: whether the child and all that come of it are kept from signalling and tracing any other process
    ///     (Landlock, landlock(7)). Kernels before 6.12 cannot, and start it as usual. Nor can they set the limits of
    ///     another process, even one of their own.
    /// - Returns: the child's process number.
    /// - Throws: the reason exec failed as well: a missing interpreter is told here, not by a child that exits.
    package static func spawn(
        _ path: String, arguments: [String], environment: [String], directory: String?, descriptors: [Descriptor],
        kept: (descriptor: Descriptor, number: Int32)? = nil, scoped: Bool = false
    ) throws(SystemError) -> Int32 {
        // Above all target numbers, or one dup2 in the child would overwrite the source of a later one.
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

    /// Collects one ended child, any of ours and of those adopted, without waiting.
    /// - Returns: its number and how it ended; nil when none has ended or there is none.
    package static func reap() -> (pid: Int32, end: End)? {
        var status: Int32 = 0
        let pid = retrying { waitpid(-1, &status, WNOHANG) }
        guard pid > 0 else { return nil }
        let signal = status & 0x7f
        return (pid, signal == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: signal))
    }

    /// Whether we have a child, living or not yet collected.
    package static func hasChildren() -> Bool {
        var info = siginfo_t()
        return retrying { waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) } == 0
    }

    /// Orphans among our descendants become our children instead of init's, so that none can hide from us in a session of its own.
    package static func becomeSubreaper() throws(SystemError) {
        guard clinux_become_subreaper() == 0 else { throw SystemError("prctl", "PR_SET_CHILD_SUBREAPER") }
    }

    /// From here on neither we nor a child gains rights by executing a setuid program.
    package static func giveUpNewPrivileges() throws(SystemError) {
        guard clinux_no_new_privileges() == 0 else { throw SystemError("prctl", "PR_SET_NO_NEW_PRIVS") }
    }

    /// Nobody without privileges may read our memory or trace us, not even a process of our own user (ptrace(2)).
    package static func forbidTracing() throws(SystemError) {
        guard clinux_not_dumpable() == 0 else { throw SystemError("prctl", "PR_SET_DUMPABLE") }
    }

    /// No core files: they would hold secrets and data.
    package static func forbidCoreFiles() throws(SystemError) {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        guard setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none) == 0 else { throw SystemError("setrlimit", "RLIMIT_CORE") }
    }

    /// Raises the number of descriptors we may have open, as far as the hard limit lets us.
    /// - Returns: the number in force.
    package static func raiseDescriptorLimit(to wanted: Int) -> Int { setDescriptorLimit { max($0, UInt(wanted)) } }

    /// Back to what programs expect: select(2) fails with higher numbers.
    /// - Returns: the number in force.
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

    /// The processes whose chain of parents leads to us. A process that forks while we look may be missed: ask again.
    package static func descendants() -> [Int32] { ProcessTable.descendants(of: [getpid()], in: ProcessTable.entries()) }
}

/// Calls `body` with a NULL-terminated array of C strings.
private func withCStrings<Result>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result) -> Result {
    let copies = strings.map { strdup($0) }
    defer { copies.forEach { free($0) } }
    return body(copies + [nil])
}
