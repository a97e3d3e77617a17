import ArgumentParser
import Diagnostics
import Glibc
import Linux
import RunProtocol

/// sync-service: starts a database sync on request and proves afterwards who started which run and how it ended.
@main
enum Program {
    static func main() async {
        // Nobody waits for the runners this program starts; ignored, the kernel collects them.
        signal(SIGCHLD, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
        // A reload asked for before the service is ready needs no answer; the default would end it.
        signal(SIGHUP, SIG_IGN)
        do {
            // Keys and secrets are in our memory.
            try Process.forbidTracing()
            // What a dead supervisor leaves comes to us, where another runner finds it.
            try Process.becomeSubreaper()
            var command = try RootCommand.parseAsRoot()
            if let serve = command as? ServeCommand {
                try await serve.run()
            } else {
                try command.run()
            }
        } catch let error as Exit {
            exit(error.code)
        } catch where RootCommand.exitCode(for: error) != .failure {
            // Help, version and what the argument parser has to say about the command line.
            RootCommand.exit(withError: error)
        } catch {
            printToStandardError("sync-service: \(error)")
            exit(ExitStatus.of(error).rawValue)
        }
    }
}
