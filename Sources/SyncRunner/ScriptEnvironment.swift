import Glibc
import Linux

/// The whole environment of the script. Of the runner's own variables only PATH, LANG and TZ are passed on, because others
/// may hold secrets.
enum ScriptEnvironment {
    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// - Parameters:
    ///   - run: the run's number, as SYNC_RUN_ID.
    ///   - graceSeconds: the time between TERM and KILL, as SYNC_STOP_GRACE_SECONDS, so that a script can keep within it.
    ///   - added: `NAME=value` entries that SYNC_ENV_PASS names. They win over all others.
    ///   - login: the user that the script runs as. HOME and USER of the runner may be those of the person who called sudo.
    ///   - own: looks up a variable of the runner.
    static func entries(
        run: Int64, graceSeconds: Int64, added: [String], login: Account.Login,
        own: (String) -> String? = { getenv($0).map { String(cString: $0) } }
    ) -> [String] {
        var values = [
            "PATH": own("PATH") ?? defaultPath, "LANG": own("LANG") ?? "C.UTF-8", "SYNC_RUN_ID": String(run),
            "SYNC_STOP_GRACE_SECONDS": String(graceSeconds), "HOME": login.home, "USER": login.name, "SHELL": login.shell,
        ]
        values["TZ"] = own("TZ")
        for entry in added {
            guard let equals = entry.firstIndex(of: "="), equals != entry.startIndex else { continue }
            values[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
        }
        return values.map { "\($0)=\($1)" }.sorted()
    }
}
