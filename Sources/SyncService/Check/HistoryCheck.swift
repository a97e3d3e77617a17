import Diagnostics
import History
import Linux

/// The history: whether it is intact, and whether a rollback of it would be noticed.
struct HistoryCheck {
    let settings: Settings
    /// nil where no run has started, or the history cannot be read.
    let lastStart: (run: Int64, at: Int64)?

    func perform(_ findings: Findings) {
        checkHistory(findings)
        checkCheckpointFile(findings)
    }

    private func checkHistory(_ findings: Findings) {
        // The first start of the service creates it. One that exists must be readable.
        do { _ = try Files.facts(settings.historyPath, followLink: false) } catch  where error.isNoSuchFile { return } catch {}
        do {
            let reader = try HistoryReader(opening: settings.historyPath)
            var verification = HistoryVerification(reader: reader, expectedKey: settings.audit.pinned)
            verification.checkpoints = try settings.audit.checkpointFile?.evidence(for: reader).checkpoints ?? []
            let report = try verification.run()
            if report.newCount > 0 {
                findings.add(
                    "the history has \(report.newCount) new problems: \(report.newDamage.first?.text ?? "")",
                    "see sync-service audit verify; restore a backup, or accept it with sync-service audit resume --reason")
            }
            if let accepted = report.acceptedDamage.first {
                findings.add(
                    "the history has \(report.acceptedDamage.count) problems that were accepted: \(accepted.text)",
                    "nothing to do, if this is what you accepted with sync-service audit resume")
            }
        } catch {
            findings.add("the history cannot be checked: \(error)", "fix what the message names, or restore a backup to \(settings.historyPath)")
        }
    }

    private func checkCheckpointFile(_ findings: Findings) {
        guard let file = settings.audit.checkpointFile?.path else {
            return findings.add(
                "AUDIT_CHECKPOINT_FILE is not set: nothing outside the database would show a rollback of the history",
                "set it to a file on another disk or machine, or keep the checkpoints from the log or the Sync-Checkpoint header")
        }
        guard let facts = try? Files.facts(file, followLink: true) else {
            guard (try? Files.facts(settings.historyPath, followLink: false)) != nil else { return }
            return findings.add(
                "AUDIT_CHECKPOINT_FILE: \(file) is missing, so no checkpoint is outside the database", appending(to: file))
        }
        if let lastStart, facts.modified < lastStart.at - 1000 {
            findings.add("AUDIT_CHECKPOINT_FILE: run \(lastStart.run) left no checkpoint in \(file)", appending(to: file))
        }
        let days = (Clock.wallMilliseconds() - facts.modified) / 86_400_000
        if days > 7 {
            findings.add("AUDIT_CHECKPOINT_FILE: the newest checkpoint in \(file) is \(days) days old", appending(to: file))
        }
    }

    private func appending(to file: String) -> String {
        let folder = Files.folder(of: file)
        return "let the service write there: install -d -m 700 -o \(Account.own) \(folder), and in its unit ReadWritePaths=\(folder) "
            + "(systemctl edit sync-service); then restart it"
    }
}
