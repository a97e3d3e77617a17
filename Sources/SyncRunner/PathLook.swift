import Glibc
import Linux
import RunProtocol

extension PathFacts {
    /// What is at a path, seen as this user and from within this unit.
    init(answering request: PathRequest) {
        let facts = try? Files.facts(request.path, followLink: true)
        self.init(
            identity: facts.map { FileIdentity(device: $0.device, inode: $0.inode) },
            // With the effective user's rights; access(2) asks for the real one's.
            readable: faccessat(AT_FDCWD, request.path, R_OK, AT_EACCESS) == 0,
            writable: faccessat(AT_FDCWD, request.path, W_OK, AT_EACCESS) == 0, uid: Int64(geteuid()))
    }
}
