import ArgumentParser
import History
import Linux
import RunProtocol

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Bring the history's schema up to date.",
        discussion: "The service does this by itself at its start; --status only looks.")

    @OptionGroup var common: CommonOptions
    @Flag(help: "Say what is applied and what is not, and change nothing.") var status = false

    func run() throws {
        let settings = try common.settings()
        try Caller.becomeOwner(of: settings.stateDirectory)
        if !status {
            _ = try StateDirectory(settings)
            _ = try settings.openHistory()
        }
        guard (try? Files.facts(settings.historyPath, followLink: false)) != nil else {
            throw CommandError("there is no history at \(settings.historyPath) yet; the service or sync-service migrate makes it")
        }
        let found = try HistorySchema.status(of: settings.historyPath)
        for migration in found { print("\(migration.number) \(migration.name): \(migration.appliedAt.map { "applied \($0)" } ?? "pending")") }
        if found.contains(where: { $0.appliedAt == nil }) { throw Exit(.wrong) }
    }
}
