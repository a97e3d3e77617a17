import ArgumentParser
import AuditLog
import History

struct AuditExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write the log as tiles, and the outputs, into a new folder.")

    @OptionGroup var common: CommonOptions
    @Argument(help: "The folder to create. It must not exist.") var folder: String

    func run() throws {
        let history = try common.settingsOfOwner().existingHistory()
        try history.record(.historyExported(.tiles), by: Caller.principal())
        let (entries, outputs) = try AuditExport(of: history.reader, into: folder).write()
        print("\(folder): \(entries) entries, \(outputs) outputs, vkey \(history.log.signer.verifierKey)")
    }
}
