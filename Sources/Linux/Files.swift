import Glibc

/// What stat(2) says of a file.
package struct FileFacts: Sendable, Equatable {
    package enum Kind: Sendable { case regular, directory, symbolicLink, other }
    package let kind: Kind
    /// Permission bits with setuid, setgid and sticky (07777).
    package let mode: UInt32
    package let owner: UInt32
    package let group: UInt32
    package let size: Int64
    package let device: UInt64
    package let inode: UInt64
    package let links: UInt64
    /// Last change of the content, in milliseconds since 1970 UTC. Times outside ``WallTime/range`` are clamped.
    package let modified: Int64

    init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .regular
        case S_IFDIR: kind = .directory
        case S_IFLNK: kind = .symbolicLink
        default: kind = .other
        }
        mode = UInt32(status.st_mode & 0o7777)
        owner = status.st_uid
        group = status.st_gid
        size = Int64(status.st_size)
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        links = UInt64(status.st_nlink)
        modified = WallTime.clamped(seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    }

    /// Whether both describe the same file, under any names.
    package func isSameFile(as other: FileFacts) -> Bool { device == other.device && inode == other.inode }

    /// Whether the group or everyone may write.
    package var writableByOthers: Bool { mode & 0o022 != 0 }
}

/// Files and folders by path. All calls block; none may be made on an event loop.
package enum Files {
    /// What is at a path.
    /// - Parameter followLink: whether a symbolic link at the end of the path is followed (stat) or described (lstat).
    package static func facts(_ path: String, followLink: Bool) throws(SystemError) -> FileFacts {
        var status = stat()
        guard fstatat(AT_FDCWD, path, &status, followLink ? 0 : AT_SYMLINK_NOFOLLOW) == 0 else { throw SystemError("stat", path) }
        return FileFacts(status)
    }

    /// The path with every symbolic link resolved.
    package static func realPath(_ path: String) throws(SystemError) -> String {
        guard let resolved = Glibc.realpath(path, nil) else { throw SystemError("realpath", path) }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// The target of a symbolic link. For a link under /proc, the path of the open file.
    package static func linkTarget(_ path: String) throws(SystemError) -> String {
        var target = [UInt8](repeating: 0, count: 4096)
        let count = target.withUnsafeMutableBytes { buffer in
            buffer.baseAddress.map { readlink(path, $0.assumingMemoryBound(to: CChar.self), buffer.count) } ?? -1
        }
        guard count >= 0 else { throw SystemError("readlink", path) }
        return String(decoding: target.prefix(count), as: UTF8.self)
    }

    /// Reads a whole small file. It follows no link at the end of the path and never waits for a FIFO.
    /// - Throws: `EFBIG` if it has more than `limit` bytes, `EINVAL` if it is no regular file.
    package static func read(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
        try readWithFacts(path, limit: limit, followLink: false).bytes
    }

    /// Reads a whole small file and the facts of the same file. Two calls by path could meet two files.
    /// - Parameter followLink: whether a symbolic link at the end of the path is followed.
    /// - Throws: `EFBIG` if it has more than `limit` bytes, `EINVAL` if it is no regular file.
    package static func readWithFacts(
        _ path: String, limit: Int, followLink: Bool
    ) throws(SystemError) -> (bytes: [UInt8], facts: FileFacts) {
        let file = try Descriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | (followLink ? 0 : O_NOFOLLOW))
        let facts = try file.facts()
        guard facts.kind == .regular else { throw SystemError("read", path, code: EINVAL) }
        let bytes = try file.read(at: 0, count: limit + 1)
        guard bytes.count <= limit else { throw SystemError("read", path, code: EFBIG) }
        return (bytes, facts)
    }

    /// Tests whether files can be created in a folder: it makes one without a name, which vanishes at once (`O_TMPFILE`,
    /// open(2)). access(2) is not enough: after an error ext4 refuses every write, and access(2) still succeeds.
    /// - Throws: `EROFS`, `EACCES`, `ENOSPC` and others. It does not throw if the file system has no nameless files.
    package static func tryToCreate(in folder: String) throws(SystemError) {
        let nameless: Int32 = 0o20000000 | O_DIRECTORY
        do { _ = try Descriptor.open(folder, nameless | O_WRONLY, mode: 0o600) } catch  where error.code == EOPNOTSUPP || error.code == EISDIR {}
    }

    /// How many bytes unprivileged users can still write in the file system of a path.
    package static func freeBytes(_ path: String) throws(SystemError) -> Int64 {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw SystemError("statvfs", path) }
        let (bytes, overflow) = Int64(clamping: status.f_bavail).multipliedReportingOverflow(by: Int64(clamping: status.f_frsize))
        return overflow ? .max : bytes
    }

    /// Returns once the names in the folder of `path` are on the disk.
    package static func syncFolder(of path: String) throws(SystemError) {
        try Descriptor.open(folder(of: path), O_RDONLY | O_DIRECTORY).sync()
    }

    /// Renames a file. A file at the new path is replaced.
    package static func rename(_ from: String, _ to: String) throws(SystemError) {
        guard Glibc.rename(from, to) == 0 else { throw SystemError("rename", to) }
    }

    /// Removes a file. A missing file is no error.
    package static func removeIfPresent(_ path: String) throws(SystemError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw SystemError("unlink", path) }
    }

    /// The folder part of a path: `/a/b` gives `/a`, `/a` gives `/`, `a` gives `.`.
    package static func folder(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The path and every folder above it, nearest first: `/a/b` gives `/a/b`, `/a`, `/`.
    package static func ancestors(of path: String) -> [String] {
        var found = [path]
        while let last = found.last, last != "/" && last != "." { found.append(folder(of: last)) }
        return found
    }

    /// The names in a folder, without `.` and `..`.
    package static func names(in path: String) throws(SystemError) -> [String] {
        guard let folder = opendir(path) else { throw SystemError("opendir", path) }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}
