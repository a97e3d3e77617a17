import Glibc
import Linux
import RunProtocol

/// A script that passed every check and may be executed by its path.
struct Script {
    let path: String
    /// Hex SHA-256 of the file as it was checked.
    let digest: String

    /// Why a script may not be executed: the documented word, and what is wrong and how to fix it.
    struct Unfit: Error {
        let why: Unfitness
        let detail: String
    }

    /// Checks what an attacker could have prepared. Anyone who can write the script, or a folder above it, decides what runs
    /// here.
    static func check(_ path: String) throws(Unfit) -> Script {
        guard path.hasPrefix("/") else { throw Unfit(why: .notFound, detail: "\(path) is not an absolute path; write it out in SYNC_SCRIPT_PATH") }
        let file = try open(path)
        let facts = try system(path) { () throws(SystemError) in try file.facts() }
        guard facts.kind == .regular else { throw Unfit(why: .notARegularFile, detail: "\(path) is not a regular file; name the script itself") }
        try checkOwnerAndMode(path, facts)
        try checkFolders(above: path)
        guard faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 else {
            throw Unfit(
                why: .permissionDenied,
                detail: "\(path) is not executable for user \(Account.own); \(Account.admission(to: path, owner: facts.owner, mode: "750"))")
        }
        return Script(path: path, digest: try system(path) { () throws(SystemError) in try Digest.of(file) })
    }

    /// Whether the content at the path is no longer what was checked.
    func hasChanged() -> Bool {
        guard let file = try? Self.open(path), let now = try? Digest.of(file) else { return true }
        return now != digest
    }

    private static func open(_ path: String) throws(Unfit) -> Descriptor {
        do {
            return try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        } catch {
            switch error.code {
            case ELOOP:
                throw Unfit(why: .notARegularFile, detail: "\(path) is a symbolic link; set SYNC_SCRIPT_PATH to the file it points to")
            case ENXIO:
                throw Unfit(why: .notARegularFile, detail: "\(path) is not a regular file; name the script itself")
            default: throw unfit(error, path)
            }
        }
    }

    private static func checkOwnerAndMode(_ path: String, _ facts: FileFacts) throws(Unfit) {
        let mode = String(facts.mode, radix: 8)
        guard facts.owner == 0 || facts.owner == geteuid() else {
            throw Unfit(
                why: .unsafePermissions,
                detail: "\(path) belongs to user \(Account.name(facts.owner)), who could change what runs here; "
                    + Account.admission(to: path, mode: "750"))
        }
        guard !facts.writableByOthers else {
            throw Unfit(
                why: .unsafePermissions,
                detail: "\(path) has mode \(mode) and can be written by others; \(Account.admission(to: path, owner: facts.owner, mode: "750"))")
        }
        guard facts.mode & 0o6000 == 0 else {
            throw Unfit(
                why: .unsafePermissions,
                detail: "\(path) has mode \(mode): setuid or setgid; \(Account.admission(to: path, owner: facts.owner, mode: "750"))")
        }
    }

    /// Checks the folders of the path as it is written and with links resolved.
    private static func checkFolders(above path: String) throws(Unfit) {
        let folder = Files.folder(of: path)
        let real = try system(folder) { () throws(SystemError) in try Files.realPath(folder) }
        for folder in Set(Files.ancestors(of: folder) + Files.ancestors(of: real)) {
            let facts = try system(folder) { () throws(SystemError) in try Files.facts(folder, followLink: true) }
            guard facts.owner == 0 || facts.owner == geteuid() else {
                throw Unfit(
                    why: .unsafePermissions,
                    detail: "the folder \(folder) belongs to user \(Account.name(facts.owner)), who could replace the script; chown it to root")
            }
            let sticky = facts.owner == 0 && facts.mode & 0o1000 != 0
            guard !facts.writableByOthers || sticky else {
                throw Unfit(
                    why: .unsafePermissions,
                    detail: "the folder \(folder) can be written by others, who could replace the script; chmod go-w \(folder)")
            }
        }
    }

    private static func system<Result>(_ path: String, _ body: () throws(SystemError) -> Result) throws(Unfit) -> Result {
        do { return try body() } catch { throw unfit(error, path) }
    }

    private static func unfit(_ error: SystemError, _ path: String) -> Unfit {
        if error.isNoSuchFile { return Unfit(why: .notFound, detail: "\(path) does not exist; set SYNC_SCRIPT_PATH to the script") }
        if error.isPermissionDenied {
            // ProtectHome= of the unit shows these folders empty and closed, whatever their modes are.
            if let closed = Files.ancestors(of: Files.folder(of: path)).first(where: { access($0, X_OK) != 0 }) {
                return Unfit(
                    why: .permissionDenied,
                    detail: "the folder \(closed) is closed to user \(Account.own), and its unit hides /home and /root; "
                        + "move the script, to /opt for example")
            }
            return Unfit(
                why: .permissionDenied,
                detail: "\(error.description); let user \(Account.own) read and execute it: \(Account.admission(to: path, mode: "750"))")
        }
        return Unfit(why: .cannotBeExecuted, detail: error.description)
    }
}
