import ArgumentParser
import AuditLog
import Diagnostics
import Glibc
import History
import HTTPServer
import Linux
import Logging
import RunProtocol
import Runs

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the sync now and wait, as cron does it: same lock, same record.",
        discussion: "Prints what the script printed and exits with its code; 2 means that a sync is running already.")

    @OptionGroup var common: CommonOptions
    @Option(help: "Why, for the record.") var reason: String?

    func run() throws {
        let settings = try common.settings()
        try Caller.becomeOwner(of: settings.stateDirectory)
        guard let script = settings.script.path else {
            throw SettingsError("SYNC_SCRIPT_PATH environment variable is not set", fix: "set it to the absolute path of the script, in /etc/sync-service/script.env or your .env")
        }
        if let reason, reason.utf8.count > 1024 { throw ValidationError("--reason is longer than 1024 bytes; say it shorter") }
        _ = try StateDirectory(settings)
        let runner = try RunnerConnector.find(settings.runs)
        let logger = Log.make(max(settings.logLevel, .warning))
        let history = try settings.openHistory()
        try StartupVerification(history: history, pinned: settings.audit.pinned, logger: logger).checkEdge()
        let performer = RunPerformer(
            settings: settings.runs, runner: runner, runnerClient: RunnerClient(settings.runs, runner: runner), history: history, logger: logger)
        let requester = Requester(
            user: Caller.invoker.user, userName: Caller.invoker.login, trigger: .cli, reason: reason, requestID: RequestID.make())
        // Nothing makes this process leave early: the end of the pipe stays open and silent.
        let (never, silent) = try Descriptor.pipe()
        defer { withExtendedLifetime(silent) {} }
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
            throw CommandError("run \(run) is over, but that is not recorded yet: \(reason); the next start of the service tries again")
        case .left(let run), .accepted(let run): throw CommandError("run \(run) goes on")
        case .leaving: throw CommandError("nothing was started: the service is stopping")
        case .finished(let run, let finish):
            try? Descriptor.standardOutput.write(finish.output)
            printToStandardError("sync-service: run \(run) \(finish.outcome.rawValue)\(finish.why.map { ": \($0)" } ?? "")")
            if let code = finish.exitCode { throw Exit(code: Int32(truncatingIfNeeded: code)) }
            throw Exit(.wrong)
        }
    }
}

/// A command that could not do its work: what failed and what to do.
struct CommandError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Who called a command, as the kernel knows it; `$USER` can be set to anything.
enum Caller {
    /// The real user, and the user of the login where that is another. Looked up once, before ``becomeOwner(of:)`` changes it.
    static let invoker: (user: String, login: String?) = {
        let uid = getuid()
        let login = (try? Files.read("/proc/self/loginuid", limit: 32)).flatMap { UInt32(String(decoding: $0, as: UTF8.self).trimmed()) }
        // 4294967295 stands for a process that no login led to.
        let known = login.flatMap { $0 == UInt32.max || $0 == uid ? nil : "login \(name($0))" }
        return (name(uid), known)
    }()

    /// For entries of the audit log.
    static func principal() -> Principal { Principal(user: invoker.user) }

    private static func name(_ uid: UInt32) -> String {
        guard let entry = getpwuid(uid) else { return "uid:\(uid)" }
        return "uid:\(uid)(\(String(cString: entry.pointee.pw_name)))"
    }

    /// As root, becomes the owner of the state directory, so that the service can still read what was written.
    static func becomeOwner(of stateDirectory: String) throws(SettingsError) {
        _ = invoker
        guard geteuid() == 0, let facts = try? Files.facts(stateDirectory, followLink: false), facts.owner != 0 else { return }
        guard let entry = getpwuid(facts.owner), initgroups(entry.pointee.pw_name, entry.pointee.pw_gid) == 0,
            setgid(entry.pointee.pw_gid) == 0, setuid(facts.owner) == 0
        else {
            let cause = SystemError("setuid")
            throw SettingsError(
                "cannot become user \(Account.name(facts.owner)), who owns \(stateDirectory): \(cause.reason)",
                fix: "run this command as that user", cause: cause)
        }
    }
}
