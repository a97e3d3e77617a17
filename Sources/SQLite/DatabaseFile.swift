import CSQLite
import Glibc

/// Checks of a database's file before SQLite opens it.
enum DatabaseFile {
    /// The path for SQLite, with its folder resolved and its last component unchanged.
    ///
    /// SQLITE_OPEN_NOFOLLOW refuses a symbolic link anywhere in the path. We refuse one only as the last component, because with
    /// DynamicUser= systemd's StateDirectory= is a link.
    static func resolve(_ path: String, context: String) throws(SQLiteError) -> String {
        let bytes = path.utf8
        let slash = bytes.lastIndex(of: UInt8(ascii: "/"))
        let name = slash.map { String(path[bytes.index(after: $0)...]) } ?? path
        let folder = slash.map { $0 == bytes.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard !["", ".", ".."].contains(name), !bytes.contains(0) else {
            throw refusal("this path does not name a file", context)
        }
        guard let resolved = realpath(folder, nil) else {
            throw refusal("the folder cannot be used", context, code: errno)
        }
        defer { free(resolved) }
        let parent = String(cString: resolved)
        return parent == "/" ? "/\(name)" : "\(parent)/\(name)"
    }

    /// Creates an empty file with mode 0600, whatever the umask, unless the file exists. An empty file is an empty database.
    ///
    /// It uses mknod(2), not open(2). Closing a descriptor of the file would drop all locks of this process on it, also those of
    /// another connection that opened it meanwhile (fcntl(2), advisory record locking).
    static func createIfMissing(_ path: String, context: String) throws(SQLiteError) {
        guard mknod(path, S_IFREG | ownerOnly, 0) == 0 else {
            if errno == EEXIST { return }
            throw refusal("the file cannot be created", context, code: errno)
        }
        guard fchmodat(AT_FDCWD, path, ownerOnly, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw refusal("the mode cannot be set to 0600", context, code: errno)
        }
    }

    /// Refuses everything but a regular file, because opening a FIFO for reading could wait for ever.
    static func requireRegularFile(_ path: String, context: String) throws(SQLiteError) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            throw refusal("the file cannot be looked at", context, code: errno)
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            return
        case S_IFLNK:
            throw SQLiteError(
                extendedCode: ExtendedCode.cantOpenSymlink, message: "the file is a symbolic link", context: context)
        default:
            throw refusal("not a regular file", context)
        }
    }

    private static let ownerOnly: mode_t = 0o600

    /// - Parameter code: the `errno` value of the call that failed; 0 if none failed.
    private static func refusal(_ message: String, _ context: String, code: Int32 = 0) -> SQLiteError {
        let reason = code == 0 ? "" : ": \(SystemError.reason(code))"
        return SQLiteError(extendedCode: SQLITE_CANTOPEN, message: message + reason, context: context, systemCode: code)
    }
}

enum SystemError {
    /// The text for an errno.
    static func reason(_ number: Int32) -> String {
        String(cString: strerror(number))
    }
}
