import ArgumentParser
import AuditLog
import Diagnostics
import Glibc
import History
import RunProtocol

struct AuditVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check every entry, the tables and the outputs.",
        discussion: "Exits with 0 if all is intact, 1 if something was tampered with, 3 if it could not be checked.")

    @OptionGroup var common: CommonOptions
    @Option(
        help: ArgumentHelp(
            "Checkpoints that you kept: one note, many notes, or the Sync-Checkpoint header. Can be given several times.", valueName: "file"))
    var checkpoint: [String] = []
    @Option(help: "The key that must have signed the history, as sync-service audit vkey printed it.") var vkey: String?

    func run() throws {
        let report: HistoryVerification.Report
        do { report = try verify() } catch {
            printToStandardError("sync-service: the history could not be checked: \(error)")
            throw Exit(.notChecked)
        }
        for line in report.lines { print(line) }
        if !report.isIntact { throw Exit(.wrong) }
    }

    private func verify() throws -> HistoryVerification.Report {
        let settings = try common.settingsOfOwner()
        var verification = HistoryVerification(reader: try settings.existingHistoryReader())
        verification.expectedKey = try vkey.map { try VerifierKey(parsing: $0) } ?? settings.audit.pinned
        let kept = try settings.audit.checkpointFile?.evidence(for: verification.reader)
        let given = try checkpoint.map(Self.checkpoints(in:))
        verification.checkpoints = (kept?.checkpoints ?? []) + given.flatMap { $0.list.elements.map(\.signed) }
        if isatty(STDERR_FILENO) == 1 {
            verification.progress = { done, all in printToStandardError("\(done) of \(all) entries") }
        }
        let report = try verification.run()
        for remark in (kept?.remarks ?? []) + given.flatMap(\.remarks) { print("! \(remark)") }
        return report
    }

    /// The checkpoints of a file that the caller brought.
    private static func checkpoints(in path: String) throws -> CheckpointFile.Content {
        guard let content = try CheckpointFile.content(path) else { throw CommandError("there is no file \(path)") }
        guard !content.list.elements.isEmpty else { throw CommandError("\(path) holds no checkpoint") }
        return content
    }
}
