import ArgumentParser

/// The command line. A new command goes into a file of its own and into this list.
struct RootCommand: ParsableCommand {
    /// As in the file VERSION; a unit test compares the two.
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "sync-service",
        abstract: "Starts a database sync on request, never two at once, and records every run.",
        discussion: """
            Settings come from the environment, then from a .env file in the working directory or the file that --env-file \
            names. Start with `sync-service check`.
            """,
        version: version,
        subcommands: [
            ServeCommand.self, RunCommand.self, CheckCommand.self, TokenCommand.self, HistoryCommand.self, MigrateCommand.self,
            AuditCommand.self, BackupCommand.self, RoutesCommand.self,
        ])
}
