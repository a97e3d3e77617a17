import Glibc
import Linux
import RunProtocol

/// The long-lived runner of another user behind a socket: one process for each connection of the service.
///
/// It only accepts. What it starts outlives it, so it can be stopped, upgraded and started again while a script runs.
struct Listener {
    /// Tells a process that it serves one connection of a listener.
    static let connectionArgument = "connection"

    private let socket: Descriptor
    private let client: UInt32
    private let program: String

    /// - Throws: where no socket was handed over, or the settings do not say whom to serve.
    init() throws {
        guard let socket = ServiceManager.takeSocket() else {
            throw SetupError("no listening socket was handed over; start sync-runner.socket (Accept=no), not this program")
        }
        self.socket = socket
        client = try Permitted().client
        guard geteuid() != 0, geteuid() != client else {
            throw SetupError(
                "this runs as user \(Account.own), and so would the script, which could then read keys and history; "
                    + "set User= in sync-runner.service to a user of its own")
        }
        // The path, not the file that runs: after an upgrade the next connection is served by the new one.
        program = try Files.realPath("/proc/self/exe")
    }

    /// Returns on SIGTERM.
    func run() throws {
        let signals = try Signals([SIGTERM, SIGINT])
        // The kernel collects our children; how a run ended is its supervisor's business.
        signal(SIGCHLD, SIG_IGN)
        // What a dead supervisor leaves comes to us, where the next connection's process finds it.
        try Process.becomeSubreaper()
        ServiceManager.notify("READY=1")
        while true {
            let ready = try Poll.readable([socket, signals.descriptor], milliseconds: nil)
            if ready.contains(signals.descriptor.number) { return }
            guard ready.contains(socket.number) else { continue }
            do { try takeConnection() } catch {
                complain("a connection waits and cannot be accepted, trying again: \(error)")
                // What there is too little of now the next moment would not have either; the socket stays readable.
                _ = try Poll.readable([signals.descriptor], milliseconds: 1000)
            }
        }
    }

    private func takeConnection() throws {
        let connection = try LocalSocket.accept(socket)
        let peer = try LocalSocket.peerUser(connection)
        guard peer == client else { return complain("refused a connection of user \(Account.name(peer)); only user \(Account.name(client)) is served") }
        let null = try Descriptor.open("/dev/null", O_WRONLY)
        do {
            _ = try Process.spawn(
                program, arguments: [program, Self.connectionArgument], environment: Self.environment(), directory: nil,
                descriptors: [connection, null, .standardError])
        } catch {
            let reason = "sync-runner cannot start itself: \(error); see TasksMax= of its unit, and that the program is installed"
            complain(reason)
            // Room for one short message is always there, whether or not anybody reads it.
            try? MessageChannel(connection).send(RunReply.failed(reason).message)
        }
    }

    private static func environment() -> [String] {
        (["PATH", "LANG", "TZ"] + Permitted.settings).compactMap { (name: String) in getenv(name).map { "\(name)=\(String(cString: $0))" } }
    }
}

/// The runner cannot begin: what is missing and what to do.
struct SetupError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
