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
        let file = try? Files.facts(script, followLink: true)
        let found = ((try? Files.names(in: "/proc")) ?? []).contains { name in
            guard let pid = Int32(name), pid != getpid() else { return false }
            return Self.runs(script, file, "/proc/\(pid)")
        }
        self = found ? .yes : .no
    }

    /// By the file, however its path was written: as the program itself, or as an argument seen from the process's folder.
    private static func runs(_ script: String, _ file: FileFacts?, _ process: String) -> Bool {
        func isScript(_ path: String) -> Bool {
            guard let file, let facts = try? Files.facts(path, followLink: true) else { return false }
            return facts.isSameFile(as: file)
        }
        if isScript(process + "/exe") { return true }
        guard let commandLine = try? Descriptor.open(process + "/cmdline", O_RDONLY),
            let bytes = try? commandLine.read(at: 0, count: 1 << 16)
        else { return false }
        let base = script.utf8.split(separator: UInt8(ascii: "/")).last ?? script.utf8[...]
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }.contains { argument in
            guard argument.utf8.suffix(base.count).elementsEqual(base) else { return false }
            if argument == script || isScript(argument.hasPrefix("/") ? argument : "\(process)/cwd/\(argument)") { return true }
            // Where the folder of another user's process is hidden, the name has to do.
            return !argument.hasPrefix("/") && (try? Files.facts(process + "/cwd/.", followLink: true)) == nil
        }
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
