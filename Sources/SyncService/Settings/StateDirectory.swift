import Diagnostics
import Glibc
import Linux

/// The service's own folder with history, keys and locks, and the run folder. A user who can enter the first can rewrite
/// the history, so it is closed to everyone else. A folder with wrong rights is refused, not repaired.
struct StateDirectory: Sendable {
    let path: String
    let runDirectory: String
    /// Whether a runner of another user owns the run folder and shares it with our group.
    let isShared: Bool

    init(_ settings: Settings) {
        path = settings.stateDirectory
        runDirectory = settings.runDirectory
        isShared = settings.runnerSocket != nil
    }

    /// Creates the folders where they are missing, and checks them. Blocks.
    /// - Throws: ``SettingsError`` with the fix.
    func prepare() throws(SettingsError) {
        try Self.create(path, setting: "SYNC_STATE_DIR")
        try checkStateDirectory()
        // A shared run folder is never created here, because it would belong to our user.
        if !isShared { try Self.create(runDirectory, setting: "SYNC_RUN_DIR") }
        try checkRunDirectory()
    }

    /// Checks the folders and changes nothing. A missing folder is fine if ``prepare()`` can create it. Blocks.
    /// - Throws: ``SettingsError`` with the fix.
    func check() throws(SettingsError) {
        guard try checkStateDirectory() || isShared else { return }
        try checkRunDirectory()
    }

    /// - Returns: whether the folder exists.
    @discardableResult
    private func checkStateDirectory() throws(SettingsError) -> Bool { try Self.checkOwn(path, setting: "SYNC_STATE_DIR", openTo: 0) }

    private func checkRunDirectory() throws(SettingsError) {
        if isShared {
            try Self.checkShared(runDirectory)
        } else {
            try Self.checkOwn(runDirectory, setting: "SYNC_RUN_DIR", openTo: 0o770)
        }
    }

    /// Makes this process the only service on the folder, until the returned lock is released. Blocks.
    /// - Throws: ``Unavailable`` with the process that holds the lock, or ``SettingsError``.
    func lockForService() throws -> Descriptor {
        let lockPath = path + "/service.lock"
        do {
            let file = try Descriptor.open(lockPath, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
            guard try file.takeRecordLock() else {
                let holder = String(decoding: (try? file.read(at: 0, count: 32)) ?? [], as: UTF8.self).trimmingNewline()
                throw Unavailable(
                    "another sync-service (process \(holder)) already serves \(path)",
                    fix: "stop that one, or give this one a SYNC_STATE_DIR of its own")
            }
            _ = ftruncate(file.number, 0)
            try file.write(Array("\(getpid())\n".utf8)[...], at: 0)
            return file
        } catch let error as SystemError {
            throw SettingsError("SYNC_STATE_DIR: \(error)", fix: "check the folder \(path)", cause: error)
        }
    }

    // MARK: One folder

    private static func create(_ path: String, setting: String) throws(SettingsError) {
        guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
        let error = SystemError("mkdir", path)
        throw SettingsError("\(setting): \(error)", fix: creation(of: path), cause: error)
    }

    private static func creation(of path: String) -> String {
        "create the folder for user \(Account.own): install -d -m 700 -o \(Account.own) \(path)"
    }

    /// - Parameter allowed: bits of the mode that group and others may have. With any, the owner may be another user.
    /// - Returns: whether the folder exists.
    @discardableResult
    private static func checkOwn(_ path: String, setting: String, openTo allowed: UInt32) throws(SettingsError) -> Bool {
        let facts: FileFacts
        do throws(SystemError) { facts = try Files.facts(path, followLink: false) } catch {
            if error.isNoSuchFile && access(Files.folder(of: path), W_OK | X_OK) == 0 { return false }
            throw SettingsError("\(setting): \(error)", fix: creation(of: path), cause: error)
        }
        guard facts.kind == .directory else {
            throw SettingsError("\(setting): \(path) is a link or a file, not a folder", fix: "set \(setting) to the folder itself")
        }
        guard facts.owner == geteuid() || allowed != 0 else {
            throw SettingsError(
                "\(setting): \(path) belongs to user \(Account.name(facts.owner))", fix: "run as that user, or chown \(Account.own) \(path)")
        }
        guard facts.mode & 0o077 & ~allowed == 0 else {
            throw SettingsError(
                "\(setting): others can enter \(path) (mode \(String(facts.mode, radix: 8)))", fix: "chmod 700 \(path)")
        }
        guard access(path, W_OK | X_OK) == 0 else {
            throw SettingsError(
                "\(setting): \(path) is not writable", fix: "chown \(Account.own) \(path), and check that the disk is not mounted read-only",
                cause: SystemError("access", path))
        }
        return true
    }

    /// Without the setgid bit, what the runner leaves in the folder would have the runner's group, and the service could
    /// read no output and no stored result.
    private static func checkShared(_ path: String) throws(SettingsError) {
        let fix =
            "SYNC_RUNNER_SOCKET needs a folder of the runner's, outside SYNC_STATE_DIR: "
            + "install -d -m 2770 -o RUNNER -g \(getegid()) \(path), where RUNNER is the user of sync-runner.service"
        let facts: FileFacts
        do { facts = try Files.facts(path, followLink: false) } catch { throw SettingsError("SYNC_RUN_DIR: \(error)", fix: fix, cause: error) }
        let mode = String(facts.mode, radix: 8)
        guard facts.kind == .directory else { throw SettingsError("SYNC_RUN_DIR: \(path) is a link or a file, not a folder", fix: fix) }
        guard facts.owner != geteuid() else {
            throw SettingsError("SYNC_RUN_DIR: \(path) belongs to the service's user; the runner's must own it", fix: fix)
        }
        guard facts.mode & 0o007 == 0 else { throw SettingsError("SYNC_RUN_DIR: others can enter \(path) (mode \(mode))", fix: fix) }
        guard facts.mode & 0o2000 != 0, access(path, R_OK | W_OK | X_OK) == 0 else {
            throw SettingsError(
                "SYNC_RUN_DIR: \(path) (mode \(mode), group \(facts.group)) does not share what the runner leaves there with user \(Account.own)",
                fix: fix)
        }
    }
}

extension String {
    fileprivate func trimmingNewline() -> String { hasSuffix("\n") ? String(dropLast()) : self }
}
