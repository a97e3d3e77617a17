import Diagnostics
import Glibc
import History
import Linux

/// The user who called a command, as the kernel reports it. `$USER` can be set to anything.
enum Caller {
    /// The real user, and the user of the login where that is another. Read it before ``becomeOwner(of:)`` changes the
    /// real user; it is looked up once.
    static let invoker: (user: String, login: String?) = {
        let uid = getuid()
        let login = (try? Files.read("/proc/self/loginuid", limit: 32)).flatMap { UInt32(String(decoding: $0, as: UTF8.self).trimmed()) }
        // A process outside any login has 4294967295.
        let known = login.flatMap { $0 == UInt32.max || $0 == uid ? nil : "login \(name($0))" }
        return (name(uid), known)
    }()

    /// For entries of the audit log.
    static func principal() -> Principal { Principal(user: invoker.user) }

    private static func name(_ uid: UInt32) -> String {
        guard let entry = getpwuid(uid) else { return "uid:\(uid)" }
        return "uid:\(uid)(\(String(cString: entry.pointee.pw_name)))"
    }

    /// As root, becomes the owner of the state directory, so that the service can read the files that the command writes.
    /// - Throws: ``SettingsError`` where that fails.
    static func becomeOwner(of stateDirectory: String) throws(SettingsError) {
        _ = invoker
        guard geteuid() == 0, let facts = try? Files.facts(stateDirectory, followLink: false), facts.owner != 0 else { return }
        guard let entry = getpwuid(facts.owner), initgroups(entry.pointee.pw_name, entry.pointee.pw_gid) == 0,
            setgid(entry.pointee.pw_gid) == 0, setuid(facts.owner) == 0
        else {
            let cause = SystemError("setuid")
            throw SettingsError(
                "cannot become user \(Account.name(facts.owner)), who owns \(stateDirectory): \(cause.reason)",
                fix: "run this command as that user", cause: cause)
        }
    }
}
