import Diagnostics
import Glibc
import Linux

/// The service's own folder: history, keys, locks. Whoever can enter it can rewrite the history, so it is closed to
/// everyone else, and a wrong one is refused rather than repaired.
struct StateDirectory: Sendable {
    let path: String

    /// Creates the folder and the run folder where they are missing, and checks them.
    /// - Throws: ``SettingsError`` with the fix.
    init(_ settings: Settings) throws(SettingsError) {
        path = settings.stateDirectory
        try Self.prepare(settings.stateDirectory, setting: "SYNC_STATE_DIR", openTo: 0)
        if settings.runnerSocket == nil {
            // It may be another user's, shared with our group.
            try Self.prepare(settings.runDirectory, setting: "SYNC_RUN_DIR", openTo: 0o770)
        } else {
            try Self.checkShared(settings.runDirectory)
        }
    }

    /// The folder of a runner of another user: never made here, where it would be ours. Without the setgid bit what the
    /// runner leaves in it has the runner's group, and every output and stored result would be lost for us.
    private static func checkShared(_ path: String) throws(SettingsError) {
        let fix =
            "SYNC_RUNNER_SOCKET needs a folder of the runner's, outside SYNC_STATE_DIR: "
            + "install -d -m 2770 -o RUNNER -g \(getegid()) \(path), where RUNNER is the user of sync-runner.service"
        let facts: FileFacts
        do { facts = try Files.facts(path, followLink: false) } catch { throw SettingsError("SYNC_RUN_DIR: \(error)", fix: fix, cause: error) }
        let mode = String(facts.mode, radix: 8)
        guard facts.kind == .directory else { throw SettingsError("SYNC_RUN_DIR: \(path) is no folder, or a link to one", fix: fix) }
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

    private static func prepare(_ path: String, setting: String, openTo allowed: UInt32) throws(SettingsError) {
        if mkdir(path, 0o700) != 0 && errno != EEXIST {
            let error = SystemError("mkdir", path)
            throw SettingsError(
                "\(setting): \(error)", fix: "create the folder for user \(Account.own): install -d -m 700 -o \(Account.own) \(path)",
                cause: error)
        }
        let facts: FileFacts
        do { facts = try Files.facts(path, followLink: false) } catch {
            throw SettingsError("\(setting): \(error)", fix: "create the folder \(path)", cause: error)
        }
        guard facts.kind == .directory else {
            throw SettingsError("\(setting): \(path) is not a folder of its own (a link or a file)", fix: "set \(setting) to the folder itself")
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
    }

    /// Makes this process the only service on the folder, until the returned lock goes.
    /// - Throws: ``Unavailable`` naming the holder, or ``SettingsError``.
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
}

extension String {
    fileprivate func trimmingNewline() -> String { hasSuffix("\n") ? String(dropLast()) : self }
}
