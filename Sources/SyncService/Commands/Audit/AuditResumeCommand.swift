import ArgumentParser
import History

struct AuditResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Accept that the history is missing or damaged, and record that decision.")

    @OptionGroup var common: CommonOptions
    @Option(help: "The reason, for the record.") var reason: String

    func run() throws {
        let history = try common.settingsOfOwner().createHistory()
        let hasBegun = try history.reader.hasBegun()
        let found = hasBegun ? try HistoryVerification(reader: history.reader).run() : nil
        let problems = [history.knownDamage].compactMap { $0 } + (found?.damage.first.map(\.text) ?? [])
        try history.resume(by: Caller.principal(), reason: reason, problems: problems, accepted: found?.acceptable() ?? [])
        print("Recorded. You can start the service again.")
    }
}
