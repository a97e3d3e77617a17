import ArgumentParser
import History
import Linux

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy the history into a new file, while the service runs.",
        discussion: "To restore it, stop the service, put the copy in the place of the history with mode 0600, and start the service.")

    @OptionGroup var common: CommonOptions
    @Argument(help: "The file to create. It must not exist.") var file: String

    func run() throws {
        let settings = try common.settingsOfOwner()
        guard (try? Files.facts(file, followLink: false)) == nil else { throw CommandError("\(file) exists already; name a new file") }
        try settings.existingHistory().record(.historyExported(.backup), by: Caller.principal())
        try HistoryBackup.copy(settings.historyPath, to: file)
        print("\(file): a complete copy of \(settings.historyPath)")
    }
}
