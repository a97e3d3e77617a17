import ArgumentParser
import AuditLog
import Diagnostics
import Glibc
import History
import JSON
import Linux
import RunProtocol

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Verify the history, and take it out for others to verify.",
        subcommands: [Verify.self, AuditExportCommand.self, Checkpoint.self, Vkey.self, Resume.self, RotateKey.self])

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check every entry, the tables and the outputs.",
            discussion: "Exits with 0 if all is intact, 1 if something was tampered with, 3 if it could not be checked.")

        @OptionGroup var common: CommonOptions
        @Option(help: ArgumentHelp(
            "Checkpoints kept from earlier: a note, many, or the Sync-Checkpoint header; may be given several times.", valueName: "file"))
        var checkpoint: [String] = []
        @Option(help: "The key the history must be signed with, as sync-service audit vkey printed it.") var vkey: String?

        func run() throws {
            let report: HistoryVerification.Report
            let remarks: [String]
            do {
                let settings = try common.settings()
                try Caller.becomeOwner(of: settings.stateDirectory)
                var verification = HistoryVerification(reader: try AuditCommand.reader(settings))
                verification.expectedKey = try vkey.map { try VerifierKey(parsing: $0) } ?? settings.audit.pinned
                let kept = try settings.audit.checkpointFile?.evidence(for: verification.reader)
                let brought = try checkpoint.map { try AuditCommand.checkpoints(in: $0) }
                verification.checkpoints = (kept?.checkpoints ?? []) + brought.flatMap { $0.list.elements.map(\.signed) }
                remarks = (kept?.remarks ?? []) + brought.flatMap(\.remarks)
                if isatty(STDERR_FILENO) == 1 {
                    verification.progress = { done, all in printToStandardError("\(done) of \(all) entries") }
                }
                report = try verification.run()
            } catch {
                printToStandardError("sync-service: the history could not be checked: \(error)")
                throw Exit(.notChecked)
            }
            for remark in remarks { print("! \(remark)") }
            AuditCommand.tellReport(report)
            if !report.isIntact { throw Exit(.wrong) }
        }
    }

    struct Checkpoint: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the newest signed checkpoint. Keep it elsewhere: only with it can a rollback be seen.")
        @OptionGroup var common: CommonOptions

        func run() throws {
            let reader = try AuditCommand.reader(try common.settings())
            guard let head = try reader.newestCheckpoint() else { throw CommandError("there is no checkpoint, or what is in its place is none; run sync-service audit verify") }
            try Descriptor.standardOutput.write(head.note.encoded)
        }
    }

    struct Vkey: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print the key that others verify with.")
        @OptionGroup var common: CommonOptions

        func run() throws { print(try AuditCommand.openHistory(common).log.signer.verifierKey) }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Go on although the history is missing or damaged, and record that decision.")
        @OptionGroup var common: CommonOptions
        @Option(help: "Why, for the record.") var reason: String

        func run() throws {
            let history = try AuditCommand.openHistory(common)
            let hasBegun = try history.reader.hasBegun()
            let found = hasBegun ? try HistoryVerification(reader: history.reader).run() : nil
            let problems = [history.knownDamage].compactMap { $0 } + (found?.damage.first.map(\.text) ?? [])
            try history.resume(by: Caller.principal(), reason: reason, problems: problems, accepted: found?.acceptable() ?? [])
            print("Recorded. The service may be started again.")
        }
    }

    struct RotateKey: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate-key", abstract: "Sign from now on with a new key, which the old one approves.",
            discussion: "To be done while the service is stopped. Afterwards hand out the new vkey.")
        @OptionGroup var common: CommonOptions

        func run() throws {
            let settings = try common.settings()
            try Caller.becomeOwner(of: settings.stateDirectory)
            let state = try StateDirectory(settings)
            let lock = try state.lockForService()
            let history = try settings.openHistory()
            print(try history.rotateKey(settings.audit, by: Caller.principal()))
            withExtendedLifetime(lock) {}
        }
    }

    fileprivate static func reader(_ settings: Settings) throws -> HistoryReader {
        guard (try? Files.facts(settings.historyPath, followLink: false)) != nil else {
            throw CommandError("there is no history at \(settings.historyPath); check SYNC_STATE_DIR")
        }
        return try HistoryReader(opening: settings.historyPath)
    }

    /// What somebody brought to compare with.
    fileprivate static func checkpoints(in path: String) throws -> CheckpointFile.Content {
        guard let content = try CheckpointFile.content(path) else { throw CommandError("there is no file \(path)") }
        guard !content.list.elements.isEmpty else { throw CommandError("\(path) holds no checkpoint") }
        return content
    }

    fileprivate static func openHistory(_ common: CommonOptions) throws -> HistoryStore {
        let settings = try common.settings()
        try Caller.becomeOwner(of: settings.stateDirectory)
        _ = try StateDirectory(settings)
        return try settings.openHistory()
    }

    /// What was found, what was not, and what could not be excluded.
    fileprivate static func tellReport(_ report: HistoryVerification.Report) {
        for damage in report.newDamage { print("✗ \(damage.text)") }
        let unlisted = report.damage.count - report.damage.first.count
        if unlisted > 0 { print("✗ … \(unlisted) more") }
        for damage in report.acceptedDamage { print("~ accepted with audit resume: \(damage.text)") }
        for remark in report.log?.remarks.first ?? [] { print("! \(remark)") }
        for redaction in report.tables.redactions { print("! \(redaction)") }
        let more = report.tables.redactionCount - Int64(report.tables.redactions.count)
        if more > 0 { print("! … \(more) more redactions") }
        print("\(report.size) entries, \(report.tables.runs) runs, root \(report.log?.root.map(\.description) ?? "unknown")")
        if report.tables.notIsolated > 0 {
            print("! \(report.tables.notIsolated) runs were not isolated: their script ran as the service's own user and could have used its key")
        }
        guard report.isIntact, let log = report.log else {
            let accepted = report.acceptedDamage.isEmpty ? "" : ", \(report.acceptedDamage.count) accepted with audit resume"
            return print("TAMPERED: \(report.newCount) new problems\(accepted)")
        }
        var limits: [String] = []
        if log.confirmedSize == 0 { limits.append("rollback and re-signing not excluded: compare with a checkpoint you kept (--checkpoint)") }
        if !report.isComplete { limits.append("the log grew all the while, so that rows without entries were not looked for: verify again") }
        if !log.keyConfirmed { limits.append("the key was taken from the log itself: compare with the vkey you were given (--vkey)") }
        print(limits.isEmpty ? "Intact." : "Consistent; \(limits.joined(separator: "; ")).")
        guard log.confirmedSize > 0 else { return }
        print("It extends the checkpoint of \(log.confirmedSize) entries.")
        if log.size > log.confirmedSize {
            print("Those behind it stand on the key alone: whoever has the key could have written them anew.")
        }
    }
}
