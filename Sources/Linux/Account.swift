import Glibc

/// Users and groups by name, because a message that says `sync-runner` is easier to read than one that says 996.
package enum Account {
    /// The user whose rights this process has.
    package static var own: String { name(geteuid()) }

    /// - Returns: the user's name, or the number if the machine has no name for it.
    package static func name(_ user: some BinaryInteger) -> String {
        guard let user = uid_t(exactly: user) else { return String(user) }
        return known(user) ?? String(user)
    }

    /// The facts that a login shell puts into the environment.
    package struct Login: Sendable, Equatable {
        package let name: String
        package let home: String
        package let shell: String

        package init(name: String, home: String, shell: String) {
            self.name = name
            self.home = home
            self.shell = shell
        }

        /// Those of the user whose rights this process has. A user that the machine does not know gets its number as name.
        package static var own: Login {
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16384) { texts in
                var entry = passwd()
                var found: UnsafeMutablePointer<passwd>?
                guard let room = texts.baseAddress, getpwuid_r(geteuid(), &entry, room, texts.count, &found) == 0, found != nil,
                    let name = entry.pw_name, let home = entry.pw_dir, let shell = entry.pw_shell
                else { return Login(name: String(geteuid()), home: "/", shell: "/bin/sh") }
                return Login(name: String(cString: name), home: String(cString: home), shell: String(cString: shell))
            }
        }
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

    /// A shell command after which this process can read a file and no other user can change it.
    /// - Parameters:
    ///   - owner: the file's owner now. If it is ours, owner and group stay; otherwise they become root and our group.
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
