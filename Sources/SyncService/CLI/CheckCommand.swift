import ArgumentParser
import Glibc
import Linux
import OpenSSL
import RunProtocol

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Look for everything that would keep a sync from working, and say how to mend it.",
        discussion: "Changes nothing. Exits with 1 if anything was found.")

    @OptionGroup var common: CommonOptions

    func run() throws {
        let settings = try common.settings()
        var findings: [String] = []
        func found(_ problem: String, fix: String) { findings.append("\(problem)\n    fix: \(fix)") }

        do { _ = try settings.requireTokens() } catch { found(error.problem, fix: error.fix) }
        checkState(settings, found)
        checkCertificate(settings, found)
        checkTrail(settings, found)
        if let script = settings.script.path {
            checkScript(script, settings, found)
        } else {
            found("SYNC_SCRIPT_PATH environment variable is not set", fix: "set it to the absolute path of the script in .env")
        }
        checkLock(settings, found)
        checkLog(settings, found)

        if findings.isEmpty { return print("All is well: \(settings.script.path ?? "") can be run.") }
        for finding in findings { print("✗ \(finding)") }
        print("\(findings.count) found.")
        throw Exit(.wrong)
    }

    private typealias Found = (_ problem: String, _ fix: String) -> Void

    private func checkState(_ settings: Settings, _ found: Found) {
        // Where it is missing the service makes it, if it may.
        guard (try? Files.facts(settings.stateDirectory, followLink: false)) != nil else {
            let parent = Files.folder(of: settings.stateDirectory)
            if access(parent, W_OK | X_OK) != 0 {
                found("SYNC_STATE_DIR: \(settings.stateDirectory) is missing and cannot be made", "install -d -m 700 -o \(geteuid()) \(settings.stateDirectory)")
            }
            return
        }
        do { _ = try StateDirectory(settings) } catch { found(error.problem, error.fix) }
    }

    private func checkCertificate(_ settings: Settings, _ found: Found) {
        do {
            guard let certificate = try settings.door.loadTLS()?.certificate else { return }
            let days = (certificate.notAfter - Clock.wallMilliseconds() / 1000) / 86400
            if days < 30 { found("TLS_CERT_FILE: the certificate expires in \(days) days", "renew it and send the service SIGHUP") }
        } catch {
            found(error.problem, error.fix)
        }
    }

    /// Whether a rollback of the history could be noticed by anybody.
    private func checkTrail(_ settings: Settings, _ found: Found) {
        if let reader = try? HistoryReader(opening: settings.historyPath) {
            do {
                let report = try TrailVerification(reader: reader, expectedKey: settings.audit.pinned).run()
                if !report.isIntact {
                    found("the history has \(report.problemCount) problems: \(report.problems.first ?? "")", "see sync-service audit verify; restore a backup, or accept it with sync-service audit resume --reason")
                }
            } catch {
                found("the history cannot be checked: \(error)", "see the message")
            }
        }
        guard let file = settings.audit.checkpointFile else {
            return found(
                "AUDIT_CHECKPOINT_FILE is not set: nothing outside the database would show a rollback of the history",
                "set it to a file on another disk or machine, or keep the checkpoints from the log or the Sync-Checkpoint header")
        }
        guard let facts = try? Files.facts(file, followLink: true) else { return }
        let days = (Clock.wallMilliseconds() - facts.modified) / 86_400_000
        if days > 7 { found("AUDIT_CHECKPOINT_FILE: the newest checkpoint in \(file) is \(days) days old", "check that the service can append to it") }
    }

    /// The runner's own checks, by the runner and as its user.
    private func checkScript(_ script: String, _ settings: Settings, _ found: Found) {
        do {
            let runner = try RunnerLauncher.beside().connect()
            try runner.send(ScriptCheckRequest(script: script).message)
            switch try RunReply(try runner.receive(milliseconds: 10_000)) {
            case .unfit(let why, let detail, _): found("Failed to execute sync script: \(why.rawValue)", detail)
            case .failed(let reason): found("sync-runner refused: \(reason)", "check the installation")
            case .busy, .ready: break
            }
        } catch {
            found("sync-runner does not answer: \(error)", "install sync-service and sync-runner from one release, side by side")
        }
        guard let text = (try? Files.read(script, limit: 1 << 20)).map({ String(decoding: $0, as: UTF8.self) }) else { return }
        for (setting, path) in [("SYNC_LOCK_PATH", settings.script.lockPath), ("SYNC_LOG_PATH", settings.script.logPath)]
        where !text.contains(path) && !text.contains(setting) {
            found(
                "the script does not mention \(path), which \(setting) names",
                "set \(setting) to the path the script uses; if it reads the path from elsewhere, this is no problem")
        }
    }

    private func checkLock(_ settings: Settings, _ found: Found) {
        guard let facts = try? Files.facts(settings.script.lockPath, followLink: false) else { return }
        let minutes = max(0, Clock.wallMilliseconds() - facts.modified) / 60_000
        found(
            "the script's lock file \(settings.script.lockPath) is there, \(minutes) minutes old, so that the status is \"running\"",
            "if no sync runs (ps aux | grep \(settings.script.path.map { $0.split(separator: "/").last.map(String.init) ?? $0 } ?? "sync")), rm \(settings.script.lockPath)")
    }

    private func checkLog(_ settings: Settings, _ found: Found) {
        let path = settings.script.logPath
        do {
            let launcher = try RunnerLauncher.beside()
            if case .unreadable(let reason) = try Inquirer(settings, launcher: launcher).logTail() {
                found("Error reading log file \(path): \(reason)", "let the script write it there once, readable for user \(geteuid())")
            }
        } catch {
            // The runner that does not answer has been told already.
        }
        if let facts = try? Files.facts(path, followLink: true), facts.mode & 0o004 != 0 {
            found("the log \(path) can be read by everyone on this machine", "chmod 640 \(path)")
        }
    }
}
