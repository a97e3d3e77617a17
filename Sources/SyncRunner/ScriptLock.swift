import Glibc
import Linux
import RunProtocol

extension LockFile {
    /// The script's lock file as it is now; nil if there is none.
    static func find(_ path: String) -> LockFile? {
        guard let facts = try? Files.facts(path, followLink: false) else { return nil }
        return LockFile(
            identity: FileIdentity(device: facts.device, inode: facts.inode), modified: facts.modified, owner: Int64(facts.owner))
    }
}

/// The script's own lock file.
enum ScriptLock {
    /// Whether a process holds a lock on the file. While one does, the script is running: the kernel drops the lock with the
    /// last process that has it.
    enum State: Equatable {
        case held, free
        /// The file cannot be opened, or the kernel's table of locks is hidden.
        case unknown
    }

    /// Looks without locking; if it locked, a script that starts at that moment would fail.
    static func state(of path: String) -> State {
        guard let facts = try? Files.facts(path, followLink: true), facts.kind == .regular || facts.kind == .directory else { return .free }
        guard let file = try? Descriptor.open(path, O_RDONLY | O_NONBLOCK), let isRecordLocked = try? file.isRecordLocked(),
            let locks = try? Descriptor.open("/proc/locks", O_RDONLY), let table = try? locks.read(at: 0, count: 1 << 22)
        else { return .unknown }
        return isRecordLocked || ProcFormat.isLocked(locks: table, inode: facts.inode) ? .held : .free
    }

    /// Removes a stale lock file. It holds the run lock meanwhile, so that no run of ours can begin.
    ///
    /// A script that locks its file with flock cannot begin between our look and the removal. A script that only looks whether
    /// the file exists, and is started by cron at that moment, finds the file or none. It never shares a file with a run of ours.
    static func clear(_ request: LockClearRequest) -> LockClearReply {
        do {
            guard case .taken(let runLock) = try RunLock.take(in: RunDirectory(request.runDirectory)) else { return .refused("a sync is running") }
            defer { runLock.release() }
            switch ScriptProcessSearch.answer(script: request.script, lockPath: request.lockPath) {
            case .yes: return .refused("a process of the script is running")
            case .cannotSee:
                return .refused("not every process can be seen, so that the script may be running; if ps shows none, remove the file by hand")
            case .no: return try remove(request)
            }
        } catch {
            complain("lock-clear: \(error)")
            return .refused("the lock file cannot be removed; the operator's log says why")
        }
    }

    private static func remove(_ request: LockClearRequest) throws(SystemError) -> LockClearReply {
        let changed = LockClearReply.refused("the lock file is another one by now")
        let file: Descriptor
        do { file = try Descriptor.open(request.lockPath, O_RDONLY | O_NONBLOCK | O_NOFOLLOW) } catch  where error.isNoSuchFile || error.code == ELOOP
        {
            return changed
        }
        // Holds the script's lock during the removal. The process table may not show who holds it.
        guard flock(file.number, LOCK_EX | LOCK_NB) == 0 else {
            return .refused("a process holds a lock on the lock file, so that the script is running")
        }
        guard LockFile.find(request.lockPath) == request.lockFile, let open = try? file.facts(),
            FileIdentity(device: open.device, inode: open.inode) == request.lockFile.identity
        else { return changed }
        try Files.removeIfPresent(request.lockPath)
        return .cleared
    }
}
