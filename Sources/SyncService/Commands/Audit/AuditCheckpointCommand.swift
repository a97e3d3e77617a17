import ArgumentParser
import AuditLog
import History
import Linux

struct AuditCheckpointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint",
        abstract: "Print the newest signed checkpoint. Keep it elsewhere: only with it can a rollback be seen.")

    @OptionGroup var common: CommonOptions

    func run() throws {
        guard let head = try common.historyReader().newestCheckpoint() else {
            throw CommandError("there is no valid checkpoint; run sync-service audit verify")
        }
        try Descriptor.standardOutput.write(head.note.encoded)
    }
}
