import ArgumentParser
import AuditLog
import Diagnostics
import HTTPServer
import History
import Linux
import Logging
import RunProtocol
import Runs

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the sync now and wait for its end, under the same lock and record as POST /sync/run.",
        discussion: "Prints the script's output and exits with its code; 2 means that a sync is running already. For cron and people.")

    @OptionGroup var common: CommonOptions
    @Option(help: "The reason, for the record.") var reason: String?

    func run() throws {
        let settings = try common.settingsOfOwner()
        guard let script = settings.script.path else {
            throw SettingsError(
                "SYNC_SCRIPT_PATH environment variable is not set",
                fix: "set it to the absolute path of the script, in /etc/sync-service/script.env or your .env")
        }
        if let reason, reason.utf8.count > 1024 { throw ValidationError("--reason is longer than 1024 bytes; shorten it") }
        try StateDirectory(settings).prepare()
        let runner = try RunnerConnector.find(settings.runs)
        let logger = Log.make(max(settings.logLevel, .warning))
        let history = try settings.openHistory()
        try StartupVerification(history: history, pinned: settings.audit.pinned, logger: logger).checkEdge()
        let performer = RunPerformer(
            settings: settings.runs, runner: runner, runnerClient: RunnerClient(settings.runs, runner: runner), history: history, logger: logger)
        let requester = Requester(
            user: Caller.invoker.user, userName: Caller.invoker.login, trigger: .cli, reason: reason, requestID: RequestID().description)
        // Never sent: this command waits for the end of its run.
        let never = try LeaveSignal.open()
        let answer = performer.perform(script, for: requester, leave: never) { printToStandardError("sync-service: run \($0) started") }
        if case .busy = answer {
            do { try history.record(.runRefused(.busy), by: requester.principal) } catch { logger.error("\(error)") }
        }
        try finish(answer)
    }

    private func finish(_ answer: RunAnswer) throws {
        switch answer {
        case .busy:
            printToStandardError("sync-service: Sync is already running. Please wait for it to complete.")
            throw Exit(.alreadyRunning)
        case .notStarted(let reason): throw CommandError("nothing was started: \(reason)")
        case .notRecorded(let run, let reason):
            throw CommandError("run \(run) has ended, but its end is not recorded yet: \(reason); the service records it when it starts")
        case .left(let run), .accepted(let run): throw CommandError("run \(run) continues")
        case .leaving: throw CommandError("nothing was started: the service is stopping")
        case .finished(let run, let finish):
            try? Descriptor.standardOutput.write(finish.output)
            printToStandardError("sync-service: run \(run) \(finish.outcome.rawValue)\(finish.why.map { ": \($0)" } ?? "")")
            if let code = finish.exitCode { throw Exit(code: Int32(truncatingIfNeeded: code)) }
            throw Exit(.wrong)
        }
    }
}
