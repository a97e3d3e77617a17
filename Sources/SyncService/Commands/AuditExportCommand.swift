import ArgumentParser
import AuditLog
import History
import JSON

struct AuditExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write the log as tiles into a new folder, with the outputs beside.")

    @OptionGroup var common: CommonOptions
    @Argument(help: "The folder to make; it must not exist.") var folder: String

    func run() throws {
        let settings = try common.settings()
        try Caller.becomeOwner(of: settings.stateDirectory)
        let history = try settings.openHistory()
        try history.record(.historyExported(.tiles), by: Caller.principal())
        let (entries, outputs) = try AuditExport(of: history.reader, into: folder).write()
        print("\(folder): \(entries) entries, \(outputs) outputs, vkey \(history.log.signer.verifierKey)")
    }
}
