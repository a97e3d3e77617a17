import ArgumentParser
import AuditLog
import Diagnostics
import Glibc
import History
import HTTPServer
import HTTPTypes
import HummingbirdCore
import Linux
import Logging
import NIOCore
import NIOPosix
import OpenSSL
import Runs
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
        let loadedTLS = try settings.listener.loadTLS()
        let tls = loadedTLS.map { CurrentTLSContext($0.context) }
        let state = StateDirectory(settings)
        try state.prepare()
        let lock = try state.lockForService()
        let logger = Log.make(settings.logLevel)
        let pools = ServicePools()
        let inside = try Inside(settings, pools, logger)
        try inside.startupVerification.checkEdge()
        try await inside.coordinator.settleUnfinished()
        try inside.history.refreshLastRun()
        recordQuietly(inside.history, .serviceStarted(version: RootCommand.version, bootID: BootID.current(), .now()), logger)
        if settings.script.path == nil {
            logger.warning("no run can start until SYNC_SCRIPT_PATH is set")
        }

        let hosts = Reloadable(AllowedHosts(settings.listener, tls?.value))
        let server = server(settings, inside, authenticator, hosts, tls, logger)
        let reloader = Reloader(
            environmentFile: common.envFile, settings: settings, loadedTLS: loadedTLS, authenticator: authenticator, hosts: hosts, tls: tls,
            runnerClient: inside.runnerClient, history: inside.history, events: inside.events, logger: logger, pools: pools)
        // They are told to leave from the last to the first: runs, so that those who wait for one get an answer, then the
        // listener, and what records events when no more can come.
        let services: [any Service] = [
            reloader,
            ExternalRunWatch(
                runnerClient: inside.runnerClient, history: inside.history, questions: pools.questions, writing: pools.writing, logger: logger),
            BackgroundVerification(inside.startupVerification, pool: pools.verification),
            LastRunWatch(history: inside.history, pool: pools.reads), inside.events, server, inside.coordinator, Heartbeat(coordinator: inside.coordinator),
        ]
        do {
            try await ServiceGroup(
                services: services, gracefulShutdownSignals: [.sigterm, .sigint],
                logger: Log.make(max(settings.logLevel, .warning))
            ).run()
        } catch let error as IOError {
            let cause = SystemError("bind", code: error.errnoCode)
            throw SettingsError(
                "HOST and PORT: cannot listen on \(settings.listener.host):\(settings.listener.port): \(cause.reason)",
                fix: "stop what uses the port, or set another PORT", cause: cause)
        } catch let error as SocketAddressError.UnknownHost {
            // At a boot the resolver may come up later than this.
            throw SettingsError(
                "HOST: the name \(settings.listener.host) cannot be resolved: \(error.errorDescription)",
                fix: "set HOST to an address of this machine, or to a name that it can resolve", mayMendItself: true)
        }
        recordQuietly(inside.history, .serviceStopped, logger)
        await pools.shutDown(logger)
        withExtendedLifetime(lock) {}
        logger.notice("stopped")
    }

    /// What there is behind the front door.
    private struct Inside {
        let runnerClient: RunnerClient
        let history: HistoryStore
        let startupVerification: StartupVerification
        let events: EventBuffer
        let coordinator: RunCoordinator
        let pools: ServicePools

        init(_ settings: Settings, _ pools: ServicePools, _ logger: Logger) throws {
            self.pools = pools
            let runner = try RunnerConnector.find(settings.runs)
            runnerClient = RunnerClient(settings.runs, runner: runner)
            // Now, not at the first run, it shows that service and runner are of different releases.
            do { try runnerClient.requireRunner() } catch let error as RunnerRefusal where error.isAboutSettings {
                throw SettingsError("\(runner): \(error)", fix: runner.fix)
            } catch {
                throw Unavailable("\(runner): \(error)", fix: runner.fix)
            }
            history = try settings.openHistory()
            startupVerification = StartupVerification(history: history, pinned: settings.audit.pinned, logger: logger)
            events = EventBuffer(history: history, pool: pools.writing, logger: logger)
            let performer = RunPerformer(
                settings: settings.runs, runner: runner, runnerClient: runnerClient, history: history, logger: logger)
            coordinator = try RunCoordinator(performer: performer, pool: pools.runs, cancelling: pools.cancelling, logger: logger)
        }

        func endpoints(_ settings: Settings) -> Endpoints {
            Endpoints(
                sync: SyncEndpoints(
                    script: settings.script, coordinator: coordinator, runnerClient: runnerClient, history: history, events: events, pools: pools),
                runs: RunHistoryEndpoints(history: history.reader, events: events, pools: pools),
                control: RunControlEndpoints(
                    script: settings.script, coordinator: coordinator, runnerClient: runnerClient, history: history, pools: pools),
                audit: AuditEndpoints(history: history, settings: settings.audit, events: events, pools: pools),
                health: HealthEndpoints(
                    readiness: Readiness(history: history, runnerClient: runnerClient, settings: settings.runs), coordinator: coordinator,
                    pools: pools))
        }
    }

    private func server(
        _ settings: Settings, _ inside: Inside, _ authenticator: Reloadable<Authenticator>, _ hosts: Reloadable<AllowedHosts>,
        _ tls: CurrentTLSContext?, _ logger: Logger
    ) -> any Service {
        let listener = settings.listener
        let certificate = tls?.value.certificate
        let sources = SourceAddress(trustedProxies: listener.trustedProxies)
        let responder = Responder(
            routes: Routes.bound(to: inside.endpoints(settings)), authenticator: authenticator, hosts: hosts, sources: sources,
            cors: CORSPolicy(origins: listener.corsOrigins, exposedHeaders: HTTPField.Name.exposedToPages), hstsSeconds: listener.hstsSeconds,
            onRefusal: { [events = inside.events] in await events.record($0) }, translate: { RequestError(known: $0) }, logger: logger)
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
            configuration: ServerConfiguration(address: .hostname(listener.host, port: listener.port), serverName: nil),
            onServerRunning: { _ in
                ServiceManager.notify("READY=1")
                logger.notice("listening on \(tls == nil ? "http" : "https")://\(listener.host):\(listener.port)")
                if let certificate { logger.info("the certificate is valid until \(Timestamp.text(certificate.notAfter * 1000))") }
            },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Log.make(max(settings.logLevel, .notice)))
    }

    /// An audit log that cannot be written refuses runs; it does not keep the service from answering.
    private func recordQuietly(_ history: HistoryStore, _ event: AuditEvent, _ logger: Logger) {
        do { try history.record(event) } catch { logger.error("\(event.kind.rawValue) could not be recorded: \(error)") }
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
