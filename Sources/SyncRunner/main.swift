// sync-runner: the only program here that executes anything. It has no network, no secrets and no database.

import Glibc
import Linux
import RunProtocol

do {
    // Writing to a service that is gone must be an error of write(2), not the end of this process.
    signal(SIGPIPE, SIG_IGN)
    umask(0o027)
    try Process.forbidCoreFiles()
    try Process.forbidTracing()
    // The service raised the limit for its connections. The script gets the usual one.
    Process.lowerDescriptorLimit()
    try Process.giveUpNewPrivileges()
    switch Array(CommandLine.arguments.dropFirst()) {
    case []: try ServiceConnection(policy: nil).serve()
    case [Listener.connectionArgument]: try ServiceConnection(policy: .fromEnvironment()).serve()
    case ["listen"]: try Listener.takeSocket().run()
    case ["--version"]: print("sync-runner, run protocol \(protocolVersion)")
    case ["--help"]:
        print(
            """
            sync-runner executes the sync script for sync-service. It is not called by hand.

              sync-runner          one connection on standard input: how sync-service starts it
              sync-runner listen   serve the socket handed over by systemd, as a user of its own; see sync-runner.service
              sync-runner --version
            """)
    default:
        complain("unknown arguments; see sync-runner --help")
        exit(ExitStatus.usage.rawValue)
    }
} catch ChannelError.closed {
    exit(ExitStatus.fine.rawValue)
} catch {
    complain("\(error)")
    exit((error is SetupError ? ExitStatus.configuration : .wrong).rawValue)
}
