import AuditLog
import History

extension HistoryVerification.Report {
    /// What `audit verify` prints: damage (✗), accepted damage (~), remarks (!), then the result and its limits.
    var lines: [String] {
        var lines = newDamage.map { "✗ \($0.text)" }
        let unlisted = damage.count - damage.first.count
        if unlisted > 0 { lines.append("✗ … \(unlisted) more") }
        lines += acceptedDamage.map { "~ accepted with audit resume: \($0.text)" }
        lines += (log?.remarks.first ?? []).map { "! \($0)" }
        lines += tables.redactions.map { "! \($0)" }
        let more = tables.redactionCount - Int64(tables.redactions.count)
        if more > 0 { lines.append("! … \(more) more redactions") }
        lines.append("\(size) entries, \(tables.runs) runs, root \(log?.root.map(\.description) ?? "unknown")")
        if tables.notIsolated > 0 {
            lines.append("! \(tables.notIsolated) runs were not isolated: their script ran as the service's own user and could have used its key")
        }
        return lines + conclusion
    }

    private var conclusion: [String] {
        guard isIntact, let log else {
            let accepted = acceptedDamage.isEmpty ? "" : ", \(acceptedDamage.count) accepted with audit resume"
            return ["TAMPERED: \(newCount) new problems\(accepted)"]
        }
        var limits: [String] = []
        if log.confirmedSize == 0 { limits.append("rollback and re-signing not excluded: compare with a checkpoint you kept (--checkpoint)") }
        if !isComplete { limits.append("the log grew during the verification, so rows without entries were not searched for: verify again") }
        if !log.keyConfirmed { limits.append("the key was taken from the log itself: compare with the vkey you were given (--vkey)") }
        var lines = [limits.isEmpty ? "Intact." : "Consistent; \(limits.joined(separator: "; "))."]
        guard log.confirmedSize > 0 else { return lines }
        lines.append("It extends the checkpoint of \(log.confirmedSize) entries.")
        if log.size > log.confirmedSize {
            lines.append("Only the key protects the entries after it: its holder could have rewritten them.")
        }
        return lines
    }
}
