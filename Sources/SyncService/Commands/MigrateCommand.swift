import ArgumentParser
import History
import RunProtocol

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Update the tables of the history to this version.",
        discussion: "The service does this when it starts; --status only looks.")

    @OptionGroup var common: CommonOptions
    @Flag(help: "List the applied and the pending migrations, and change nothing.") var status = false

    func run() throws {
        let settings = try common.settingsOfOwner()
        if !status { _ = try settings.createHistory() }
        try settings.requireHistory()
        let found = try HistorySchema.status(of: settings.historyPath)
        for migration in found { print("\(migration.number) \(migration.name): \(migration.appliedAt.map { "applied \($0)" } ?? "pending")") }
        if found.contains(where: { $0.appliedAt == nil }) { throw Exit(.wrong) }
    }
}
