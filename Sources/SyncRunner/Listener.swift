import Glibc
import Linux
import RunProtocol

/// The long-lived runner of another user, behind a socket. It starts a process for each connection of the service.
///
/// It only accepts connections. The processes outlive it, so it can be stopped, upgraded and started while a script runs.
struct Listener {
    /// Tells a process that it serves one connection of a listener.
    static let connectionArgument = "connection"

    private let socket: Descriptor
    private let client: UInt32
    private let program: String

    private init(_ socket: Descriptor, client: UInt32, program: String) {
        self.socket = socket
        self.client = client
        self.program = program
    }

    /// Takes the socket that systemd holds.
    /// - Throws: if there is no socket, or the settings do not say which user to serve.
    static func takeSocket() throws -> Listener {
        guard let socket = ServiceManager.takeSocket() else {
            throw SetupError("no listening socket was handed over; start sync-runner.socket (Accept=no), not this program")
        }
        let client = try RequestPolicy.fromEnvironment().client
        guard geteuid() != 0, geteuid() != client else {
            throw SetupError(
                "this runs as user \(Account.own), and so would the script, which could then read keys and history; "
                    + "set User= in sync-runner.service to a user of its own")
        }
        // The path of the program, not the running file, so that after an upgrade the new program serves the next connection.
        return Listener(socket, client: client, program: try Files.realPath("/proc/self/exe"))
    }

    /// Returns on SIGTERM.
    func run() throws {
        let signals = try Signals.block([SIGTERM, SIGINT])
        // The kernel collects our children. Supervisors report how their runs ended.
        signal(SIGCHLD, SIG_IGN)
        // Orphans of a dead supervisor come to us, where the process of the next connection finds them.
        try Process.becomeSubreaper()
        ServiceManager.notify("READY=1")
        while true {
            let ready = try Poll.readable([socket, signals.descriptor], milliseconds: nil)
            if ready.contains(signals.descriptor.number) { return }
            guard ready.contains(socket.number) else { continue }
            do { try takeConnection() } catch {
                complain("a connection waits and cannot be accepted, trying again: \(error)")
                // Waits, because what is short now is still short a moment later, and the socket stays readable.
                _ = try Poll.readable([signals.descriptor], milliseconds: 1000)
            }
        }
    }

    private func takeConnection() throws {
        let connection = try LocalSocket.accept(socket)
        let peer = try LocalSocket.peerUser(connection)
        guard peer == client else {
            return complain("refused a connection of user \(Account.name(peer)); only user \(Account.name(client)) is served")
        }
        let null = try Descriptor.open("/dev/null", O_WRONLY)
        do {
            _ = try Process.spawn(
                program, arguments: [program, Self.connectionArgument], environment: Self.environment(), directory: nil,
                descriptors: [connection, null, .standardError])
        } catch {
            let reason = "sync-runner cannot start itself: \(error); see TasksMax= of its unit, and that the program is installed"
            complain(reason)
            // The socket's buffer always has space for one short message, so this does not block.
            try? MessageChannel(connection).send(RunReply.failed(reason).message)
        }
    }

    private static func environment() -> [String] {
        (["PATH", "LANG", "TZ"] + RequestPolicy.settings).compactMap { (name: String) in getenv(name).map { "\(name)=\(String(cString: $0))" } }
    }
}
