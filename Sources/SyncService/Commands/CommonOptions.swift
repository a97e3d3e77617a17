import ArgumentParser
import Diagnostics
import History
import Linux

/// The options that every command has, and what commands do first: read the settings, become the owner of the history,
/// open it.
struct CommonOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Read settings from this file instead of .env.", valueName: "file"))
    var envFile: String?

    /// Reads all settings and prints their warnings.
    /// - Throws: ``SettingsError``.
    func settings() throws(SettingsError) -> Settings {
        let settings = try Settings.load(environmentFile: envFile)
        for warning in settings.warnings { printToStandardError("sync-service: warning: \(warning)") }
        return settings
    }

    /// Reads all settings and, as root, becomes the owner of the history.
    /// - Throws: ``SettingsError``.
    func settingsOfOwner() throws(SettingsError) -> Settings {
        let settings = try settings()
        try Caller.becomeOwner(of: settings.stateDirectory)
        return settings
    }

    /// Opens the history to read it, as its owner.
    /// - Throws: ``CommandError`` where there is none.
    func historyReader() throws -> HistoryReader { try settingsOfOwner().existingHistoryReader() }
}

extension Settings {
    /// Creates the folders and the history where they are missing, and opens it to write.
    func createHistory() throws -> HistoryStore {
        try StateDirectory(self).prepare()
        return try openHistory()
    }

    /// Opens the history to write.
    /// - Throws: ``CommandError`` where there is none.
    func existingHistory() throws -> HistoryStore {
        try requireHistory()
        return try openHistory()
    }

    /// Opens the history to read it.
    /// - Throws: ``CommandError`` where there is none.
    func existingHistoryReader() throws -> HistoryReader {
        try requireHistory()
        return try HistoryReader(opening: historyPath)
    }

    /// A command that reads must not answer a wrong SYNC_STATE_DIR with a new, empty history.
    func requireHistory() throws {
        guard (try? Files.facts(historyPath, followLink: false)) != nil else {
            throw CommandError("there is no history at \(historyPath); check SYNC_STATE_DIR, or start the service once")
        }
    }
}
