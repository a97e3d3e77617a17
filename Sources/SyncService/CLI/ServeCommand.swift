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
        let authenticator = Reloadable(Authenticator(rules: try settings.requireTokens(), access: settings.access))
        let loadedTLS = try settings.door.loadTLS()
        let tls = loadedTLS.map { CurrentTLSContext($0.context) }
        let lock = try StateDirectory(settings).lockForService()
        let logger = Log.make(settings.logLevel)
        let inside = try Inside(settings, logger)
        try inside.trailWatch.checkEdge()
        try await inside.coordinator.settleUnfinished()
        try inside.history.refreshLastRun()
        recordQuietly(inside.history, AuditEvent(.serviceStarted, Self.startFacts()), logger)
        if settings.script.path == nil {
            logger.warning("SYNC_SCRIPT_PATH is not set: nothing can be run until it is")
        }

        let hosts = Reloadable(AllowedHosts(settings.door, tls?.value))
        let server = server(settings, inside, authenticator, hosts, tls, logger)
        let reloader = Reloader(
            environmentFile: common.envFile, settings: settings, loadedTLS: loadedTLS, authenticator: authenticator, hosts: hosts, tls: tls,
            inquirer: inside.inquirer, history: inside.history, events: inside.events, logger: logger)
        // They are told to leave from the last to the first: runs, so that those who wait for one get an answer, then the
        // listener, and what records events when no more can come.
        let services: [any Service] = [
            reloader, ExternalRunWatch(inquirer: inside.inquirer, history: inside.history, logger: logger), inside.trailWatch,
            LastRunWatch(history: inside.history), inside.events, server, inside.coordinator, Heartbeat(coordinator: inside.coordinator),
        ]
        do {
            try await ServiceGroup(
                services: services, gracefulShutdownSignals: [.sigterm, .sigint],
                logger: Log.make(max(settings.logLevel, .warning))
            ).run()
        } catch let error as IOError {
            let cause = SystemError("bind", code: error.errnoCode)
            throw SettingsError(
                "HOST and PORT: cannot listen on \(settings.door.host):\(settings.door.port): \(cause.reason)",
                fix: "stop what uses the port, or set another PORT", cause: cause)
        } catch let error as SocketAddressError.UnknownHost {
            // At a boot the resolver may come up later than this.
            throw SettingsError(
                "HOST: the name \(settings.door.host) cannot be resolved: \(error.errorDescription)",
                fix: "set HOST to an address of this machine, or to a name that it can resolve", mayMendItself: true)
        }
        recordQuietly(inside.history, AuditEvent(.serviceStopped), logger)
        withExtendedLifetime(lock) {}
        logger.notice("stopped")
    }

    /// What there is behind the front door.
    private struct Inside {
        let inquirer: Inquirer
        let history: History
        let trailWatch: TrailWatch
        let events: EventBuffer
        let coordinator: RunCoordinator

        init(_ settings: Settings, _ logger: Logger) throws {
            let runner = try RunnerAccess(settings)
            inquirer = Inquirer(settings, runner: runner)
            // Now, not at the first run, it shows that service and runner are of different releases.
            do { try inquirer.requireRunner() } catch let error as RunnerRefusal where error.isAboutSettings {
                throw SettingsError("\(runner): \(error)", fix: runner.fix)
            } catch {
                throw Unavailable("\(runner): \(error)", fix: runner.fix)
            }
            history = try settings.openHistory()
            trailWatch = TrailWatch(history: history, pinned: settings.audit.pinned, logger: logger)
            events = EventBuffer(history: history, logger: logger)
            let performer = RunPerformer(
                settings: settings, runner: runner, inquirer: inquirer, history: history, logger: logger)
            coordinator = try RunCoordinator(performer: performer, logger: logger)
        }

        /// The whole table of what is offered, and to whom.
        func routes(_ settings: Settings) -> [Route] {
            SyncEndpoints(
                script: settings.script, coordinator: coordinator, inquirer: inquirer, history: history, events: events
            ).routes
                + AdminEndpoints(history: history.reader, events: events).routes
                + RunControlEndpoints(script: settings.script, coordinator: coordinator, inquirer: inquirer, history: history).routes
                + AuditEndpoints(history: history, settings: settings.audit, events: events).routes
                + HealthEndpoints(
                    readiness: Readiness(history: history, inquirer: inquirer, settings: settings), coordinator: coordinator
                ).routes
        }
    }

    private func server(
        _ settings: Settings, _ inside: Inside, _ authenticator: Reloadable<Authenticator>, _ hosts: Reloadable<AllowedHosts>,
        _ tls: CurrentTLSContext?, _ logger: Logger
    ) -> any Service {
        let door = settings.door
        let certificate = tls?.value.certificate
        let sources = SourceAddress(trustedProxies: door.trustedProxies)
        let responder = Responder(
            routes: inside.routes(settings), authenticator: authenticator, hosts: hosts, sources: sources,
            cors: CORSPolicy(origins: door.corsOrigins), hstsSeconds: door.hstsSeconds, events: inside.events, logger: logger)
        let limiter = ConnectionLimiter(maximum: Self.connections(), sources: sources)
        let tlsFailures = TLSFailureLog(logger: logger)
        let channel = ServiceChannel(
            tls: tls, limiter: limiter, cors: responder.cors, requestMemory: RequestMemory(maximum: 16 << 20),
            keepsBody: responder.keepsBody, tlsFailures: tlsFailures
        ) { request, writer, channel in
            let response = await responder.respond(to: request, peer: channel.remoteAddress?.ipAddress)
            try await writer.write(response: response.head, body: ServiceChannel.paced(response.body, on: channel))
        }
        return channel.server(
            configuration: ServerConfiguration(address: .hostname(door.host, port: door.port), serverName: nil),
            onServerRunning: { _ in
                ServiceManager.notify("READY=1")
                logger.notice("listening on \(tls == nil ? "http" : "https")://\(door.host):\(door.port)")
                if let certificate { logger.info("the certificate is valid until \(Timestamp.text(certificate.notAfter * 1000))") }
            },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Log.make(max(settings.logLevel, .notice)))
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
}

/// The program's log: lines on standard error, for the journal or a terminal.
enum Log {
    static func make(_ level: Logger.Level) -> Logger {
        var logger = Logger(label: "sync-service") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        return logger
    }
}
