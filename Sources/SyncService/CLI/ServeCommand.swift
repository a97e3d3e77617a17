import ArgumentParser
import AuditLog
import HummingbirdCore
import JSON
import Glibc
import Linux
import Logging
import NIOCore
import NIOPosix
import OpenSSL
import ServiceLifecycle
import TLS
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
        let history = try settings.openHistory()
        let trailWatch = TrailWatch(history: history, pinned: settings.audit.pinned, logger: logger)
        try trailWatch.checkEdge()
        let events = EventBuffer(history: history, logger: logger)
        let performer = RunPerformer(
            settings: settings, launcher: launcher, inquirer: inquirer, history: history, logger: logger)
        let coordinator = try RunCoordinator(performer: performer, logger: logger)
        try await coordinator.settleUnfinished()
        recordQuietly(history, AuditEvent(.serviceStarted, Self.startFacts()), logger)
        if settings.script.path == nil {
            logger.warning("SYNC_SCRIPT_PATH is not set: nothing can be run until it is")
        }

        let sync = SyncEndpoints(
            script: settings.script, coordinator: coordinator, inquirer: inquirer, reader: history.reader, events: events)
        let door = settings.door
        let tls = try door.loadTLS().map { CurrentTLSContext($0) }
        if let notAfter = tls?.value.certificate.notAfter { logger.info("the certificate is valid until \(Timestamp.text(notAfter * 1000))") }
        let certificate = tls?.value.certificate
        let sources = SourceAddress(trustedProxies: door.trustedProxies)
        let authenticator = Reloadable(Authenticator(rules: rules, access: settings.access))
        let control = RunControlEndpoints(
            script: settings.script, coordinator: coordinator, inquirer: inquirer, history: history)
        let health = HealthEndpoints(
            readiness: Readiness(
                history: history, inquirer: inquirer, coordinator: coordinator, settings: settings))
        let routes = sync.routes + AdminEndpoints(history: history.reader, events: events).routes + control.routes
            + AuditEndpoints(history: history, pinned: settings.audit.pinned, events: events).routes + health.routes
        let responder = Responder(
            routes: routes,
            authenticator: authenticator, hosts: AllowedHosts(
                [door.host] + door.allowedHosts + (certificate?.dnsNames ?? []) + (certificate?.ipAddresses ?? [])), sources: sources,
            cors: CORSPolicy(origins: door.corsOrigins), hstsSeconds: door.hstsSeconds, events: events, logger: logger)
        let limiter = ConnectionLimiter(maximum: Self.connections(), sources: sources)
        let channel = ServiceChannel(tls: tls, limiter: limiter, cors: responder.cors) { request, writer, channel in
            let response = await responder.respond(to: request, peer: channel.remoteAddress?.ipAddress)
            try await writer.write(response: response.head, body: response.body)
        }
        let server = channel.server(
            configuration: ServerConfiguration(address: .hostname(door.host, port: door.port), serverName: nil),
            onServerRunning: { _ in logger.notice("listening on \(tls == nil ? "http" : "https")://\(door.host):\(door.port)") },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Log.make(max(settings.logLevel, .notice)))
        do {
            // The coordinator comes last and is told first to leave, so that those who wait for a run get an answer.
            try await ServiceGroup(
                configuration: .init(
                    services: [
                        .init(service: Reloader(
                            environmentFile: common.envFile, authenticator: authenticator, tls: tls, history: history,
                            logger: logger)),
                        .init(service: ExternalRunWatch(inquirer: inquirer, history: history, logger: logger)),
                        .init(service: trailWatch), .init(service: events),
                        .init(service: server), .init(service: coordinator),
                    ],
                    gracefulShutdownSignals: [.sigterm, .sigint], logger: Log.make(max(settings.logLevel, .warning)))
            ).run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE || error.errnoCode == EACCES {
            throw SettingsError(
                "HOST and PORT: cannot listen on \(door.host):\(door.port): \(SystemError("bind", code: error.errnoCode).reason)",
                fix: "stop what uses the port, or set another PORT")
        }
        recordQuietly(history, AuditEvent(.serviceStopped), logger)
        withExtendedLifetime(lock) {}
        logger.notice("stopped")
    }

    /// A trail that cannot be written now refuses runs; it does not keep the service from answering.
    private func recordQuietly(_ history: History, _ event: AuditEvent, _ logger: Logger) {
        do { try history.record([event]) } catch { logger.error("\(event.kind.rawValue) could not be recorded: \(error)") }
    }

    private static func startFacts() -> [JSON.Member] {
        [.init("version", .string(SyncService.version)), .init("boot_id", .optional(Machine.bootID()))] + Machine.clockFacts()
    }

    /// How many connections the process has descriptors for; some are needed for everything else.
    private static func connections() -> Int { max(16, Process.raiseDescriptorLimit(to: 16384) - 128) }

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
