import Linux
import Runs

/// The script's lock file and log, as the caller of `check` sees them.
struct ScriptFilesCheck {
    let script: ScriptSettings
    /// nil where no run has started, or the history cannot be read.
    let lastStart: (run: Int64, at: Int64)?

    func perform(_ findings: Findings) {
        checkLock(findings)
        checkLog(findings)
    }

    private func checkLock(_ findings: Findings) {
        guard let facts = try? Files.facts(script.lockPath, followLink: false) else { return }
        let minutes = max(0, Clock.wallMilliseconds() - facts.modified) / 60_000
        let name = script.path?.split(separator: "/").last.map(String.init) ?? "sync"
        findings.add(
            "the script's lock file \(script.lockPath) exists and is \(minutes) minutes old, so the status is \"running\"",
            "if no sync runs (ps aux | grep \(name)), rm \(script.lockPath)")
    }

    private func checkLog(_ findings: Findings) {
        let path = script.logPath
        guard let facts = try? Files.facts(path, followLink: true) else { return }
        if facts.mode & 0o002 != 0 {
            findings.add("everyone on this machine can write the log \(path) and forge what GET /sync/log shows", "chmod 640 \(path)")
        } else if facts.mode & 0o004 != 0 {
            findings.add("everyone on this machine can read the log \(path)", "chmod 640 \(path)")
        }
        guard let lastStart, facts.modified < lastStart.at - 1000 else { return }
        findings.add(
            "run \(lastStart.run) did not write to the log \(path), so GET /sync/log shows an older run",
            "set SYNC_LOG_PATH to the file the script writes")
    }
}
