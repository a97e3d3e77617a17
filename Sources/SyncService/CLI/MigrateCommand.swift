import ArgumentParser
import Linux
import Migrations
import RunProtocol
import SQLite

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
        do {
            let connection = try Connection(path: settings.historyPath, mode: .readOnly)
            let found = try Migrator(applicationID: HistorySchema.applicationID, migrations: HistorySchema.migrations).status(of: connection)
            for migration in found.applied { print("\(migration.number) \(migration.name): applied \(migration.appliedAt)") }
            for migration in found.pending { print("\(migration.number) \(migration.name): pending") }
            if !found.pending.isEmpty { throw Exit(.wrong) }
        } catch let error as Exit {
            throw error
        } catch {
            throw HistoryError(settings.historyPath, error)
        }
    }
}
