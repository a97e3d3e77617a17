import ArgumentParser
import HummingbirdCore
import Glibc
import Linux
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Answer requests until told to stop (SIGTERM).")

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let settings = try common.settings()
        let rules = try settings.requireTokens()
        let state = try StateDirectory(settings)
        let lock = try state.lockForService()
        let logger = Log.make(settings.logLevel)

        let launcher = try RunnerLauncher.beside()
        let inquirer = Inquirer(settings, launcher: launcher)
        try checkVersion(inquirer, launcher)
        let history = try History(opening: settings.historyPath)
        let performer = RunPerformer(
            settings: settings, launcher: launcher, inquirer: inquirer, history: history, logger: logger)
        let coordinator = try RunCoordinator(performer: performer, logger: logger)
        try await coordinator.settleUnfinished()
        if settings.script.path == nil {
            logger.warning("SYNC_SCRIPT_PATH is not set: nothing can be run until it is")
        }

        let sync = SyncEndpoints(script: settings.script, coordinator: coordinator, inquirer: inquirer)
        let responder = Responder(
            routes: sync.routes + AdminEndpoints(history: history).routes + HealthEndpoints.routes,
            authenticator: Authenticator(rules: rules, access: settings.access), logger: logger)
        let channel = ServiceChannel { request, writer, channel in
            let response = await responder.respond(to: request, sourceIP: channel.remoteAddress?.ipAddress)
            try await writer.write(response: response.head, body: response.body)
        }
        let server = channel.server(
            configuration: ServerConfiguration(address: .hostname(settings.host, port: settings.port), serverName: nil),
            onServerRunning: { _ in logger.notice("listening on http://\(settings.host):\(settings.port)") },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Log.make(max(settings.logLevel, .notice)))
        do {
            // The coordinator comes last and is told first to leave, so that those who wait for a run get an answer.
            try await ServiceGroup(
                configuration: .init(
                    services: [.init(service: server), .init(service: coordinator)],
                    gracefulShutdownSignals: [.sigterm, .sigint], logger: Log.make(max(settings.logLevel, .warning)))
            ).run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE || error.errnoCode == EACCES {
            throw SettingsError(
                "HOST and PORT: cannot listen on \(settings.host):\(settings.port): \(SystemError("bind", code: error.errnoCode).reason)",
                fix: "stop what uses the port, or set another PORT")
        }
        withExtendedLifetime(lock) {}
        logger.notice("stopped")
    }

    /// Finds out at the start, not at the first run, that service and runner are of different releases.
    private func checkVersion(_ inquirer: Inquirer, _ launcher: RunnerLauncher) throws(SettingsError) {
        do { _ = try inquirer.lockInfo() } catch {
            throw SettingsError("\(launcher.path) \(error)", fix: "install sync-service and sync-runner from one release, side by side")
        }
    }
}

/// The program's log: lines on standard error, for the journal or a terminal.
enum Log {
    static func make(_ level: Logger.Level) -> Logger {
        var logger = Logger(label: "sync-service") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        return logger
    }
}
