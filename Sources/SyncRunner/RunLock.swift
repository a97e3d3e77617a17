import Glibc
import Linux
import RunProtocol

/// The run lock decides whether a sync may start: two kernel locks on one file, shared with the script.
///
/// The locks are flock and an open file description lock, both on one descriptor, which the script inherits. So the kernel
/// keeps them while the script lives, even if all our processes die. `flock -u` in the script frees only the first; a start
/// needs both.
struct RunLock {
    /// The script inherits it.
    let descriptor: Descriptor

    enum Attempt {
        case taken(RunLock)
        case held(by: RunLockHolder?)
    }

    /// Takes the run lock without waiting.
    static func take(in directory: RunDirectory) throws(SystemError) -> Attempt {
        // If the file is replaced between our open and our lock, we hold a lock on a file without a name, and the new file
        // counts. If that happens ten times, somebody does it on purpose.
        for _ in 0..<10 {
            let file = try Descriptor.open(directory.lockFile, O_RDWR | O_CREAT | O_NOFOLLOW)
            let facts = try file.facts()
            guard facts.kind == .regular, facts.owner == geteuid() else {
                throw SystemError("run lock", directory.lockFile, code: EPERM)
            }
            guard flock(file.number, LOCK_EX | LOCK_NB) == 0 else {
                guard errno == EWOULDBLOCK else { throw SystemError("flock", directory.lockFile) }
                return .held(by: RunDirectory.holder(of: file))
            }
            guard try file.takeRecordLock() else { return .held(by: RunDirectory.holder(of: file)) }
            guard let named = try? Files.facts(directory.lockFile, followLink: false), named.isSameFile(as: facts) else { continue }
            return .taken(RunLock(descriptor: file))
        }
        throw SystemError("run lock", directory.lockFile, code: EAGAIN)
    }

    /// Writes the holder into the file, for people. Nothing depends on it, so a failure is ignored.
    func describe(run: Int64?, since: Int64) {
        let bytes = RunLockHolder(run: run, pid: Int64(getpid()), since: since).message.encoded()
        _ = ftruncate(descriptor.number, 0)
        try? descriptor.write(bytes[...], at: 0)
    }

    /// Frees both locks for every copy of the descriptor, so that a daemon which the script left behind cannot hold them.
    func release() {
        _ = ftruncate(descriptor.number, 0)
        try? descriptor.dropRecordLock()
        _ = flock(descriptor.number, LOCK_UN)
    }
}
