import ArgumentParser
import AuditLog
import History
import JSON
import Linux

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy the history into a new file, while the service runs.",
        discussion: "To restore: stop the service, put the copy in the history's place with mode 0600, start it again.")

    @OptionGroup var common: CommonOptions
    @Argument(help: "The file to make; it must not exist.") var file: String

    func run() throws {
        let settings = try common.settings()
        try Caller.becomeOwner(of: settings.stateDirectory)
        guard (try? Files.facts(file, followLink: false)) == nil else { throw CommandError("\(file) exists already; name a new file") }
        try settings.openHistory().record(.historyExported(.backup), by: Caller.principal())
        try HistoryBackup.copy(settings.historyPath, to: file)
        print("\(file): a complete copy of \(settings.historyPath)")
    }
}
