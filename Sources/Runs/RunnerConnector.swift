import Diagnostics
import Glibc
import Linux
import RunProtocol

/// The way to `sync-runner`: a process of our own for each connection, or a runner of another user behind a socket.
package enum RunnerConnector: Sendable, CustomStringConvertible {
    case program(String)
    case socket(String)

    /// Finds the runner: behind SYNC_RUNNER_SOCKET, or, where that is not set, beside our own executable.
    /// - Throws: where no program is there. A socket is not looked at.
    package static func find(_ settings: RunSettings) throws(Unavailable) -> RunnerConnector {
        if let socket = settings.runnerSocket { return .socket(socket) }
        do {
            let path = Files.folder(of: try Files.realPath("/proc/self/exe")) + "/sync-runner"
            _ = try Files.facts(path, followLink: true)
            return .program(path)
        } catch {
            throw Unavailable("sync-runner is missing: \(error)", fix: oneRelease)
        }
    }

    private static let oneRelease = "install sync-service and sync-runner from one release, side by side"

    package var description: String {
        switch self {
        case .program(let path): path
        case .socket(let path): "the runner behind \(path)"
        }
    }

    /// What to do where it does not answer as it should.
    package var fix: String {
        switch self {
        case .program: Self.oneRelease
        case .socket: "see systemctl status sync-runner.socket sync-runner.service, and that SYNC_RUNNER_SOCKET names that socket"
        }
    }

    /// - Returns: a connection to a runner, which lives until it is told to run and has done so, or the connection ends.
    func connect() throws(SystemError) -> MessageChannel {
        switch self {
        case .socket(let path): MessageChannel(try LocalSocket.connect(path))
        case .program(let path): try Self.start(path)
        }
    }

    private static func start(_ path: String) throws(SystemError) -> MessageChannel {
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
