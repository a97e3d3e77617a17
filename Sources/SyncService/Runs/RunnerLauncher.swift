import Glibc
import Linux
import RunProtocol

/// Starts `sync-runner`, one process for each connection.
struct RunnerLauncher: Sendable {
    /// The runner beside our own executable.
    let path: String

    /// Finds the runner beside our own executable, wherever that was started from.
    /// - Throws: where there is none.
    static func beside() throws(SettingsError) -> RunnerLauncher {
        do {
            let path = Files.folder(of: try Files.realPath("/proc/self/exe")) + "/sync-runner"
            _ = try Files.facts(path, followLink: true)
            return RunnerLauncher(path: path)
        } catch {
            throw SettingsError("sync-runner is missing: \(error)", fix: "install sync-service and sync-runner from one release, side by side")
        }
    }

    /// - Returns: a connection to a new runner, which lives until it is told to run and has done so, or the connection ends.
    func connect() throws(SystemError) -> MessageChannel {
        let (ours, theirs) = try Descriptor.socketPair()
        let null = try Descriptor.open("/dev/null", O_WRONLY)
        let inherited = ["PATH", "LANG", "TZ"].compactMap { (name: String) in
            getenv(name).map { "\(name)=\(String(cString: $0))" }
        }
        // Nobody waits for it: SIGCHLD is ignored in this program, so that the kernel collects our children.
        _ = try Process.spawn(
            path, arguments: [path], environment: inherited, directory: nil, descriptors: [theirs, null, .standardError])
        return MessageChannel(ours)
    }
}
