import ArgumentParser
import History
import Linux
import RunProtocol
import Runs

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Find everything that would prevent a sync, and say how to fix it.",
        discussion: "Changes nothing. Exits with 1 if it finds a problem. As root it first becomes the owner of the history.")

    @OptionGroup var common: CommonOptions
    @Flag(help: "Also show what the runner's user can do at each of the script's paths.") var asRunner = false

    func run() throws {
        let settings = try common.settings()
        // Root reads the script, because mode 750 admits only root and the runner, and not the owner of the history.
        let scriptText = settings.script.path.flatMap(Self.text(ofScript:))
        try Caller.becomeOwner(of: settings.stateDirectory)
        let lastStart = try? HistoryReader(opening: settings.historyPath).lastStart()

        let findings = Findings()
        FilesCheck(settings: settings).perform(findings)
        HistoryCheck(settings: settings, lastStart: lastStart).perform(findings)
        if settings.script.path == nil {
            findings.add(
                "SYNC_SCRIPT_PATH environment variable is not set",
                "set it to the absolute path of the script, in /etc/sync-service/script.env or your .env")
        }
        checkRunner(settings, scriptText: scriptText, hasRun: lastStart != nil, findings)
        ScriptFilesCheck(script: settings.script, lastStart: lastStart).perform(findings)

        if findings.all.isEmpty { return print("All is well: \(settings.script.path ?? "") can be run.") }
        for finding in findings.all { print("✗ \(finding)") }
        print("\(findings.all.count) found.")
        throw Exit(.wrong)
    }

    /// What the runner finds as its user, above all at the script.
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

    private static func text(ofScript path: String) -> String? {
        guard let facts = try? Files.facts(path, followLink: false), facts.kind == .regular else { return nil }
        return (try? Files.read(path, limit: 1 << 20)).map { String(decoding: $0, as: UTF8.self) }
    }
}
