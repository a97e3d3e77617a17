import ArgumentParser
import Diagnostics
import Glibc
import History
import Linux
import OpenSSL
import RunProtocol
import Runs

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Look for everything that would keep a sync from working, and say how to mend it.",
        discussion: "Changes nothing. Exits with 1 if anything was found. As root it first becomes the owner of the history.")

    @OptionGroup var common: CommonOptions
    @Flag(help: "Also show what the runner's user can do at each of the script's paths.") var asRunner = false

    func run() throws {
        let settings = try common.settings()
        // Before becoming a user who may not read it: mode 750 lets in root and the runner only.
        let scriptText = settings.script.path.flatMap(Self.text(ofScript:))
        try Caller.becomeOwner(of: settings.stateDirectory)
        let findings = Findings()
        let last = try? HistoryReader(opening: settings.historyPath).lastStart()

        checkReadable(settings, findings)
        do { _ = try settings.requireTokens() } catch { findings.add(error.problem, error.fix) }
        checkState(settings, findings)
        checkCertificate(settings, findings)
        checkHistory(settings, findings)
        checkTrail(settings, last, findings)
        if settings.script.path == nil {
            findings.add("SYNC_SCRIPT_PATH environment variable is not set", "set it to the absolute path of the script, in /etc/sync-service/script.env or your .env")
        }
        checkRunner(settings, scriptText: scriptText, hasRun: last != nil, findings)
        checkLock(settings, findings)
        checkLog(settings, last, findings)

        if findings.all.isEmpty { return print("All is well: \(settings.script.path ?? "") can be run.") }
        for finding in findings.all { print("✗ \(finding)") }
        print("\(findings.all.count) found.")
        throw Exit(.wrong)
    }

    private typealias Start = (run: Int64, at: Int64)

    /// Root has read what the service may not: a file that an editor has replaced belongs to root alone.
    private func checkReadable(_ settings: Settings, _ findings: Findings) {
        for file in settings.secretFiles where access(file, R_OK) != 0 && errno == EACCES {
            findings.add("the service's user \(Account.own) cannot read \(file)", Account.admission(to: file))
        }
    }

    private func checkState(_ settings: Settings, _ findings: Findings) {
        // Where it is missing the service makes it, if it may.
        guard (try? Files.facts(settings.stateDirectory, followLink: false)) != nil else {
            let parent = Files.folder(of: settings.stateDirectory)
            if access(parent, W_OK | X_OK) != 0 {
                findings.add(
                    "SYNC_STATE_DIR: \(settings.stateDirectory) is missing and cannot be made",
                    "install -d -m 700 -o \(Account.own) \(settings.stateDirectory)")
            }
            return
        }
        do { _ = try StateDirectory(settings) } catch { findings.add(error.problem, error.fix) }
        for folder in Set([settings.stateDirectory, settings.runDirectory]) {
            guard let free = try? Files.freeBytes(folder), free < DiskReserve.bytes(outputLimit: settings.script.outputLimit) * 2 else { continue }
            findings.add("only \(free >> 20) MiB are free for \(folder)", "make room: without it no run starts, because it could not be recorded")
        }
    }

    private func checkCertificate(_ settings: Settings, _ findings: Findings) {
        do {
            guard let certificate = try settings.listener.loadTLS()?.certificate else { return }
            let days = (certificate.notAfter - Clock.wallMilliseconds() / 1000) / 86400
            if days < 30 { findings.add("TLS_CERT_FILE: the certificate expires in \(days) days", "renew it and send the service SIGHUP") }
        } catch {
            findings.add(error.problem, error.fix)
        }
    }

    private func checkHistory(_ settings: Settings, _ findings: Findings) {
        // The first start makes one where there is none. One that is there must be readable.
        do { _ = try Files.facts(settings.historyPath, followLink: false) } catch where error.isNoSuchFile { return } catch {}
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
                    "nothing to do, if that is what was accepted with sync-service audit resume")
            }
        } catch {
            findings.add("the history cannot be checked: \(error)", "mend what the message names, or restore a backup to \(settings.historyPath)")
        }
    }

    /// Whether a rollback of the history could be noticed by anybody.
    private func checkTrail(_ settings: Settings, _ last: Start?, _ findings: Findings) {
        guard let file = settings.audit.checkpointFile?.path else {
            return findings.add(
                "AUDIT_CHECKPOINT_FILE is not set: nothing outside the database would show a rollback of the history",
                "set it to a file on another disk or machine, or keep the checkpoints from the log or the Sync-Checkpoint header")
        }
        guard let facts = try? Files.facts(file, followLink: true) else {
            guard (try? Files.facts(settings.historyPath, followLink: false)) != nil else { return }
            return findings.add(
                "AUDIT_CHECKPOINT_FILE: \(file) is missing, so that no checkpoint is outside", appending(to: file))
        }
        if let last, facts.modified < last.at - 1000 {
            findings.add("AUDIT_CHECKPOINT_FILE: run \(last.run) left no checkpoint in \(file)", appending(to: file))
        }
        let days = (Clock.wallMilliseconds() - facts.modified) / 86_400_000
        if days > 7 {
            findings.add("AUDIT_CHECKPOINT_FILE: the newest checkpoint in \(file) is \(days) days old", appending(to: file))
        }
    }

    private static func text(ofScript path: String) -> String? {
        guard let facts = try? Files.facts(path, followLink: false), facts.kind == .regular else { return nil }
        return (try? Files.read(path, limit: 1 << 20)).map { String(decoding: $0, as: UTF8.self) }
    }

    private func appending(to file: String) -> String {
        let folder = Files.folder(of: file)
        return "let the service write there: install -d -m 700 -o \(Account.own) \(folder), and in its unit ReadWritePaths=\(folder) "
            + "(systemctl edit sync-service); then restart it"
    }

    /// What the runner finds, as its user: the script first of all.
    private func checkRunner(_ settings: Settings, scriptText: String?, hasRun: Bool, _ findings: Findings) {
        do {
            let runner = try RunnerConnector.find(settings.runs)
            do {
                try RunnerCheck(settings: settings, scriptText: scriptText, hasRun: hasRun, runnerClient: RunnerClient(settings.runs, runner: runner))
                    .perform(everyPath: asRunner, findings)
            } catch {
                findings.add("\(runner) does not answer: \(error)", runner.fix)
            }
        } catch {
            findings.add("\(error)", "install sync-service and sync-runner from one release, side by side")
        }
    }

    private func checkLock(_ settings: Settings, _ findings: Findings) {
        guard let facts = try? Files.facts(settings.script.lockPath, followLink: false) else { return }
        let minutes = max(0, Clock.wallMilliseconds() - facts.modified) / 60_000
        let name = settings.script.path?.split(separator: "/").last.map(String.init) ?? "sync"
        findings.add(
            "the script's lock file \(settings.script.lockPath) is there, \(minutes) minutes old, so that the status is \"running\"",
            "if no sync runs (ps aux | grep \(name)), rm \(settings.script.lockPath)")
    }

    private func checkLog(_ settings: Settings, _ last: Start?, _ findings: Findings) {
        let path = settings.script.logPath
        guard let facts = try? Files.facts(path, followLink: true) else { return }
        if facts.mode & 0o002 != 0 {
            findings.add("the log \(path) can be written by everyone on this machine, who could make up what GET /sync/log says", "chmod 640 \(path)")
        } else if facts.mode & 0o004 != 0 { findings.add("the log \(path) can be read by everyone on this machine", "chmod 640 \(path)") }
        guard let last, facts.modified < last.at - 1000 else { return }
        findings.add(
            "run \(last.run) did not write to the log \(path), so that GET /sync/log shows an older run",
            "set SYNC_LOG_PATH to the file the script writes")
    }
}

/// What a check has found so far, each with its fix.
final class Findings {
    private(set) var all: [String] = []

    func add(_ problem: String, _ fix: String) { all.append("\(problem)\n    fix: \(fix)") }
}
