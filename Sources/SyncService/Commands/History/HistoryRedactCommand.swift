import ArgumentParser
import History

struct HistoryRedactCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "redact", abstract: "Delete the stored output of a run, for example because it has a password.",
        discussion: "The output's digest and length stay. The deletion is recorded, and audit verify reports it from then on.")

    @OptionGroup var common: CommonOptions
    @Argument(help: "The run's number.") var id: Int64
    @Option(help: "The reason, for the record.") var reason: String

    func run() throws {
        let history = try common.settingsOfOwner().existingHistory()
        guard try history.reader.storedOutputBytes(of: id) != nil else { throw CommandError("run \(id) has no stored output") }
        try history.redactOutput(of: id, by: Caller.principal(), reason: reason)
        print("The output of run \(id) is deleted; its digest stays. Backups still hold it.")
    }
}
