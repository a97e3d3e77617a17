import Glibc
import Linux
import RunProtocol

extension PathFacts {
    /// Looks at a path as this user and within this unit.
    static func inspect(_ path: String) -> PathFacts {
        let facts = try? Files.facts(path, followLink: true)
        return PathFacts(
            identity: facts.map { FileIdentity(device: $0.device, inode: $0.inode) },
            // With the rights of the effective user; access(2) uses those of the real one.
            readable: faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0, writable: faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0,
            uid: Int64(geteuid()))
    }
}
