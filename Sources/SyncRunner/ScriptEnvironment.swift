import Glibc

/// The whole environment of the script. Of our own only names that carry no secrets are taken over.
enum ScriptEnvironment {
    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// - Parameters:
    ///   - run: the run's number, as SYNC_RUN_ID.
    ///   - graceSeconds: the time between TERM and KILL, as SYNC_STOP_GRACE_SECONDS, so that a script can keep within it.
    ///   - added: `NAME=value` entries that SYNC_ENV_PASS names; they win.
    static func entries(run: Int64, graceSeconds: Int64, added: [String]) -> [String] {
        var values = [
            "PATH": own("PATH") ?? defaultPath, "LANG": own("LANG") ?? "C.UTF-8", "SYNC_RUN_ID": String(run),
            "SYNC_STOP_GRACE_SECONDS": String(graceSeconds),
        ]
        values["TZ"] = own("TZ")
        // Of the user we really are: our own HOME and USER may be those of whoever called sudo or started the service.
        if let user = getpwuid(geteuid()) {
            values["HOME"] = String(cString: user.pointee.pw_dir)
            values["USER"] = String(cString: user.pointee.pw_name)
            values["SHELL"] = String(cString: user.pointee.pw_shell)
        } else {
            values["HOME"] = "/"
            values["USER"] = String(geteuid())
            values["SHELL"] = "/bin/sh"
        }
        for entry in added {
            guard let equals = entry.firstIndex(of: "="), equals != entry.startIndex else { continue }
            values[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
        }
        return values.map { "\($0)=\($1)" }.sorted()
    }

    private static func own(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
