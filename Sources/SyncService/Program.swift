import ArgumentParser
import Glibc
import Linux

/// sync-service: starts a database sync on request and proves afterwards who started which run and how it ended.
package enum Program {
    /// Does what the command line says, and ends the process. To be called once, at the start of it. Commands block, so they run
    /// on the main thread and not on one of Swift's.
    @MainActor package static func main() async {
        // The program does not wait for the runners that it starts. With SIGCHLD ignored the kernel reaps them.
        signal(SIGCHLD, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
        // By default SIGHUP would end a service that is not ready yet.
        signal(SIGHUP, SIG_IGN)
        do {
            // Keys and secrets are in our memory.
            try Process.forbidTracing()
            // The processes of a dead supervisor become our children, where another runner finds them.
            try Process.becomeSubreaper()
            var command = try RootCommand.parseAsRoot()
            if let serve = command as? ServeCommand {
                try await serve.run()
            } else {
                try command.run()
            }
        } catch {
            Exit.end(with: error)
        }
    }
}
