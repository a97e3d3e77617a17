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

/// Locks that somebody holds on the script's lock file. While there is one, the script lives: the kernel drops it with the
/// last process that has it.
enum LockWitness {
    case held, free
    /// The file cannot be opened, or the kernel's table of locks is hidden.
    case unknown

    /// Asks without locking: a lock taken only to look would make a starter fail.
    init(of path: String) {
        guard let facts = try? Files.facts(path, followLink: true), facts.kind == .regular || facts.kind == .directory else {
            self = .free
            return
        }
        guard let file = try? Descriptor.open(path, O_RDONLY | O_NONBLOCK), let isRecordLocked = try? file.isRecordLocked(),
            let locks = try? Descriptor.open("/proc/locks", O_RDONLY), let table = try? locks.read(at: 0, count: 1 << 22)
        else {
            self = .unknown
            return
        }
        // By the inode alone: the device in this table is not stat's on every file system.
        let isFlocked = table.split(separator: UInt8(ascii: "\n")).contains { line in
            String(decoding: line, as: UTF8.self).split(separator: " ").contains { $0.hasSuffix(":\(facts.inode)") }
        }
        self = isRecordLocked || isFlocked ? .held : .free
    }
}

extension ScriptProcess {
    init(answering request: ScriptProcessRequest) { self.init(of: request.script, lockPath: request.lockPath) }

    init(of script: String, lockPath: String) {
        switch LockWitness(of: lockPath) {
        case .held: self = .yes
        case .unknown: self = .cannotSee
        case .free:
            // Without a lock file the question is whether the script runs as our user, as ours would.
            let owner = (try? Files.facts(lockPath, followLink: false))?.owner ?? geteuid()
            self = (try? ScriptProcessSearch(script: script))?.answer(owner: owner) ?? .cannotSee
        }
    }
}

extension LockClearReply {
    /// Removes a stale lock file of the script, holding the run lock, so that no run of ours can begin meanwhile.
    ///
    /// A script that locks its file with flock cannot begin between our look and our unlink. One that only looks whether the
    /// file exists and is started by cron right then finds the file or finds none; it never shares one with us.
    init(answering request: LockClearRequest) {
        do {
            guard case .taken(let runLock) = try RunLock.take(in: RunDirectory(request.runDirectory)) else {
                self = .refused("a sync is running")
                return
            }
            defer { runLock.release() }
            switch ScriptProcess(of: request.script, lockPath: request.lockPath) {
            case .yes: self = .refused("a process of the script is running")
            case .cannotSee:
                self = .refused("not every process can be seen, so that the script may be running; if ps shows none, remove the file by hand")
            case .no: self = try Self.remove(request)
            }
        } catch {
            complain("lock-clear: \(error)")
            self = .refused("the lock file cannot be removed; the operator's log says why")
        }
    }

    private static func remove(_ request: LockClearRequest) throws(SystemError) -> LockClearReply {
        let file: Descriptor
        do { file = try Descriptor.open(request.lockPath, O_RDONLY | O_NONBLOCK | O_NOFOLLOW) } catch where error.isNoSuchFile || error.code == ELOOP {
            return .refused("the lock file is another one by now")
        }
        // For the moment of the removal we hold the script's lock ourselves. The process table may not show who holds it.
        guard flock(file.number, LOCK_EX | LOCK_NB) == 0 else { return .refused("a process holds a lock on the lock file, so that the script is running") }
        guard LockFile(at: request.lockPath) == request.lockFile, let open = try? file.facts(),
            FileIdentity(device: open.device, inode: open.inode) == request.lockFile.identity
        else { return .refused("the lock file is another one by now") }
        try Files.removeIfPresent(request.lockPath)
        return .cleared
    }
}
