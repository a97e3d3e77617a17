import AuditLog
import Linux
import RunProtocol
import Runs

/// The script, its paths and its log, as the runner sees them: as its user and within its unit.
struct RunnerCheck {
    let settings: Settings
    /// The script; nil where the caller cannot read it.
    let scriptText: String?
    /// Whether a run has started, which has left a log.
    let hasRun: Bool
    let runnerClient: RunnerClient

    private var script: ScriptSettings { settings.script }

    /// - Parameter everyPath: whether to print what the runner's user can do at each path.
    /// - Throws: where the runner does not answer.
    func perform(everyPath: Bool, _ findings: Findings) throws {
        if let path = script.path { try checkScript(path, findings) }
        try checkLog(findings)
        try checkView(findings)
        if everyPath { try checkPaths(findings) }
    }

    private func checkLog(_ findings: Findings) throws {
        let log = try runnerClient.facts(script.logPath)
        if log.identity != nil && !log.writable {
            // For example after a sync that root started by hand, or because the old log was moved here.
            return findings.add(
                "the script's user \(Account.name(log.uid)) cannot write its log \(script.logPath)",
                "chown \(Account.name(log.uid)) \(script.logPath); in a unit, name the log's folder in ReadWritePaths=")
        }
        if log.identity == nil && !hasRun { return }
        if case .unreadable(let reason) = try runnerClient.logTail() {
            findings.add("Error reading log file \(script.logPath): \(reason)", "let the script write its log there, readable for the runner's user")
        }
    }

    private func checkScript(_ path: String, _ findings: Findings) throws {
        if case .unfit(let why, let detail, _) = try runnerClient.scriptFitness(path) {
            findings.add("Failed to execute sync script: \(why.rawValue)", detail)
        }
        guard let scriptText else { return }
        let text = ScriptText(scriptText, path: path, environment: script.environment)
        checkMention("SYNC_LOCK_PATH", script.lockPath, ending: ".lock", text, findings)
        checkMention("SYNC_LOG_PATH", script.logPath, ending: ".log", text, findings)
        if text.closesForeignDescriptors {
            findings.add(
                "the script closes descriptors that it did not open; by closing descriptor \(RunDirectory.lockDescriptor) it releases the run lock, "
                    + "and if its supervisor dies, a second sync can start",
                "let it close only descriptors that it has opened itself")
        }
        if settings.runnerSocket != nil && text.contains("kill", "-0") {
            findings.add(
                "the script tests with kill -0 whether a process lives; under the runner this finds only processes of its own run",
                "let it test the folder of the process instead: [ -d \"/proc/$pid\" ]")
        }
    }

    /// A script that locks another path runs while the status is `idle`, and can run twice at once.
    private func checkMention(_ setting: String, _ named: String, ending: String, _ text: ScriptText, _ findings: Findings) {
        guard !text.mentions(named) else { return }
        let others = text.paths(endingIn: ending)
        findings.add(
            "the script does not mention \(named), which \(setting) names"
                + (others.isEmpty ? "" : "; it mentions \(others.joined(separator: ", "))"),
            "write that path into the script, or set \(setting) to the path that the script uses; if the script takes it from the variable "
                + "\(setting), name that in SYNC_ENV_PASS; ignore this if the script has the path from elsewhere")
    }

    /// cron, the runner and the caller must see the same folder at a path. A unit with PrivateTmp has its own /tmp, and a
    /// lock file there protects nothing.
    private func checkView(_ findings: Findings) throws {
        for (setting, path) in [("SYNC_LOCK_PATH", script.lockPath), ("SYNC_LOG_PATH", script.logPath)] {
            let folder = Files.folder(of: path)
            guard let ours = try? Files.facts(folder, followLink: true),
                try runnerClient.facts(folder).identity != FileIdentity(device: ours.device, inode: ours.inode)
            else { continue }
            findings.add(
                "\(setting): the runner does not see the folder \(folder) that is seen here, so cron and the service would use different files",
                "set \(setting) to a path in a folder that all share, such as one under /run or /var/log; a unit has its own /tmp (PrivateTmp)")
        }
    }

    private func checkPaths(_ findings: Findings) throws {
        for need in needs() {
            let facts = try runnerClient.facts(need.path)
            let rights = [facts.readable ? "readable" : nil, facts.writable ? "writable" : nil].compactMap { $0 }
            let seen = facts.identity == nil ? "not there" : rights.isEmpty ? "closed" : rights.joined(separator: ", ")
            print("user \(Account.name(facts.uid)): \(need.path): \(seen)")
            guard !(need.writes ? facts.writable : facts.readable) else { continue }
            findings.add(
                "\(need.setting): the runner's user \(Account.name(facts.uid)) cannot \(need.writes ? "write in" : "read") \(need.path)",
                "give that user the right; in a unit, also name the path in ReadWritePaths= or ReadOnlyPaths=")
        }
    }

    private func needs() -> [(setting: String, path: String, writes: Bool)] {
        var needs = [
            (setting: "SYNC_RUN_DIR", path: settings.runDirectory, writes: true),
            (setting: "SYNC_LOCK_PATH", path: Files.folder(of: script.lockPath), writes: true),
            (setting: "SYNC_LOG_PATH", path: Files.folder(of: script.logPath), writes: true),
        ]
        for (setting, path) in [
            ("SYNC_SCRIPT_PATH", script.path), ("SYNC_WORKING_DIR", script.workingDirectory), ("SYNC_LOG_DIR", script.logDirectory),
        ] {
            if let path { needs.append((setting: setting, path: path, writes: false)) }
        }
        return needs
    }
}
