import Glibc
import Linux
import RunProtocol

extension LockFile {
    /// The script's lock file as it is now; nil where there is none.
    init?(at path: String) {
        guard let facts = try? Files.facts(path, followLink: false) else { return nil }
        self.init(
            identity: FileIdentity(device: facts.device, inode: facts.inode), modified: facts.modified, owner: Int64(facts.owner))
    }
}

extension ScriptProcess {
    /// Looks for a process that has the script as its program or among its arguments, as an interpreter has.
    init(of script: String) {
        // With hidepid the processes of others are not listed, and then none that is seen proves nothing.
        guard let own = try? Files.facts("/proc/1/stat", followLink: true), own.kind == .regular else {
            self = .cannotSee
            return
        }
        let wanted = Array(script.utf8)
        let found = ((try? Files.names(in: "/proc")) ?? []).contains { name in
            guard let pid = Int32(name), pid != getpid(), let file = try? Descriptor.open("/proc/\(pid)/cmdline", O_RDONLY),
                let bytes = try? file.read(at: 0, count: 1 << 16)
            else { return false }
            return bytes.split(separator: 0).contains { $0.elementsEqual(wanted) }
        }
        self = found ? .yes : .no
    }
}

extension LockClearReply {
    /// Removes a stale lock file of the script, holding the lease, so that no run of ours can begin meanwhile.
    ///
    /// What is left is a script that cron starts between our look and our unlink; it has to be rm'ed by hand as before.
    init(answering request: LockClearRequest) {
        do {
            guard case .taken(let lease) = try Lease.take(in: RunDirectory(request.runDirectory)) else {
                self = .refused("a sync is running")
                return
            }
            defer { lease.release() }
            switch ScriptProcess(of: request.script) {
            case .yes: self = .refused("a process of the script is running")
            case .cannotSee: self = .refused("the processes of other users cannot be seen, so that the script may be running")
            case .no:
                guard LockFile(at: request.lockPath) == request.lockFile else {
                    self = .refused("the lock file is another one by now")
                    return
                }
                try Files.removeIfPresent(request.lockPath)
                self = .cleared
            }
        } catch {
            complain("lock-clear: \(error)")
            self = .refused("the lock file cannot be removed; the operator's log says why")
        }
    }
}
