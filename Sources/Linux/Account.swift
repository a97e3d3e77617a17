import Glibc

/// Users and groups by name: a message that says `sync-runner` is understood, one that says 996 is not.
package enum Account {
    /// The user whose rights this process has.
    package static var own: String { name(geteuid()) }

    /// - Returns: the user's name, or the number where the machine knows no name for it.
    package static func name(_ user: some BinaryInteger) -> String {
        guard let user = uid_t(exactly: user) else { return String(user) }
        return known(user) ?? String(user)
    }

    private static func known(_ user: uid_t) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16384) { texts in
            var entry = passwd()
            var found: UnsafeMutablePointer<passwd>?
            guard let room = texts.baseAddress, getpwuid_r(user, &entry, room, texts.count, &found) == 0, found != nil,
                let name = entry.pw_name
            else { return nil }
            return String(cString: name)
        }
    }

    /// The command after which this process can read a file, and nobody else change it.
    /// - Parameters:
    ///   - owner: whose it is now; one of our own keeps its owner and group, any other becomes root's and our group's.
    ///   - mode: in octal.
    package static func admission(to path: String, owner: UInt32? = nil, mode: String = "640") -> String {
        let chmod = "chmod \(mode) \(path)"
        return owner == geteuid() ? chmod : "chown root:\(ownGroup) \(path) && \(chmod)"
    }

    private static var ownGroup: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16384) { texts in
            var entry = group()
            var found: UnsafeMutablePointer<group>?
            guard let room = texts.baseAddress, getgrgid_r(getegid(), &entry, room, texts.count, &found) == 0, found != nil,
                let name = entry.gr_name
            else { return String(getegid()) }
            return String(cString: name)
        }
    }
}
