import ArgumentParser
import Diagnostics
import Linux

/// The command line.
struct RootCommand: ParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "sync-service",
        abstract: "Starts a database sync on request, never two at once, and records every run.",
        discussion: """
            Settings come from the environment, over a .env file in the working directory or the file named with \
            --env-file. Start with `sync-service check`.
            """,
        version: version,
        subcommands: [
            ServeCommand.self, RunCommand.self, CheckCommand.self, TokenCommand.self, HistoryCommand.self, MigrateCommand.self,
            AuditCommand.self, BackupCommand.self, RoutesCommand.self,
        ])
}

/// What every command understands.
struct CommonOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read settings from this file instead of .env.", valueName: "file"))
    var envFile: String?

    /// Reads all settings and tells their warnings.
    func settings() throws(SettingsError) -> Settings {
        let settings = try Settings(environmentFile: envFile)
        for warning in settings.warnings { printToStandardError("sync-service: warning: \(warning)") }
        return settings
    }
}
