import Glibc
import Linux
import RunProtocol

/// The one thing that decides whether a sync may start: two kernel locks on one file, shared with the script.
///
/// flock and an open file description lock on the same descriptor. The script inherits the descriptor, so the kernel
/// keeps both while the script lives, whoever else dies. A script that runs `flock -u` frees only the first; a start
/// needs both.
struct RunLock {
    /// Handed to the script.
    let descriptor: Descriptor

    enum Attempt {
        case taken(RunLock)
        case held(by: LeaseHolder?)
    }

    /// Takes the run lock without waiting.
    static func take(in directory: RunDirectory) throws(SystemError) -> Attempt {
        // Whoever replaces the file between our open and our lock would leave us with a lock on a nameless file; then
        // the new file counts. More than a few rounds of that is somebody's mischief.
        for _ in 0..<10 {
            let file = try Descriptor.open(directory.lockFile, O_RDWR | O_CREAT | O_NOFOLLOW)
            let facts = try file.facts()
            guard facts.kind == .regular, facts.owner == geteuid() else {
                throw SystemError("lease", directory.lockFile, code: EPERM)
            }
            guard flock(file.number, LOCK_EX | LOCK_NB) == 0 else {
                guard errno == EWOULDBLOCK else { throw SystemError("flock", directory.lockFile) }
                return .held(by: RunDirectory.holder(of: file))
            }
            guard try file.takeRecordLock() else { return .held(by: RunDirectory.holder(of: file)) }
            guard let named = try? Files.facts(directory.lockFile, followLink: false), named.isSameFile(as: facts) else { continue }
            return .taken(RunLock(descriptor: file))
        }
        throw SystemError("lease", directory.lockFile, code: EAGAIN)
    }

    /// Writes into the run lock file who holds it, for people; a failure changes nothing.
    func describe(run: Int64?, since: Int64) {
        let bytes = LeaseHolder(run: run, pid: Int64(getpid()), since: since).message.encoded()
        _ = ftruncate(descriptor.number, 0)
        try? descriptor.write(bytes[...], at: 0)
    }

    /// Frees both locks for every copy of the descriptor, so that a daemon the script left behind cannot hold them.
    func release() {
        _ = ftruncate(descriptor.number, 0)
        try? descriptor.dropRecordLock()
        _ = flock(descriptor.number, LOCK_UN)
    }
}
