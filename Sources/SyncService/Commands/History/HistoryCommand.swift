import ArgumentParser

/// Each subcommand is in the file of its name.
struct HistoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Show recorded runs.",
        subcommands: [HistoryListCommand.self, HistoryShowCommand.self, HistoryRedactCommand.self], defaultSubcommand: HistoryListCommand.self)
}
