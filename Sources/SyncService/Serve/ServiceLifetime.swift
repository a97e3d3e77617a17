import AuditLog
import History
import Linux
import Logging
import Runs
import ServiceLifecycle
import UnixSignals

/// The life of the service, from its settings to its last entry in the audit log.
enum ServiceLifetime {
    /// Serves until SIGTERM or SIGINT.
    /// - Parameter environmentFile: the file that SIGHUP reads again; nil: as ``Settings/init(environment:environmentFile:)``.
    /// - Throws: what keeps the service from starting, with what to do.
    static func run(_ settings: Settings, environmentFile: String?) async throws {
        let reloadable = try ReloadableParts.load(settings)
        let state = StateDirectory(settings)
        try state.prepare()
        let lock = try state.lockForService()
        let logger = Log.make(settings.logLevel)
        let pools = ServicePools.start()
        do {
            let service = try ServiceComposition.open(
                settings, environmentFile: environmentFile, reloadable: reloadable, pools: pools, logger: logger)
            try await prepare(service)
            try await serve(service)
            recordQuietly(.serviceStopped, in: service.history, logger)
        } catch {
            await pools.shutDown(logger)
            throw error
        }
        await pools.shutDown(logger)
        withExtendedLifetime(lock) {}
        logger.notice("stopped")
    }

    /// What has to be done before the listener opens, so that the first answer is right.
    private static func prepare(_ service: ServiceComposition) async throws {
        try service.verification.checkEdge()
        try await service.coordinator.settleUnfinished()
        try service.history.refreshLastRun()
        recordQuietly(
            .serviceStarted(version: RootCommand.version, bootID: BootID.current(), .now()), in: service.history, service.logger)
        if service.settings.script.path == nil {
            service.logger.warning("no run can start until SYNC_SCRIPT_PATH is set")
        }
    }

    private static func serve(_ service: ServiceComposition) async throws {
        let settings = service.settings
        do {
            try await ServiceGroup(
                services: service.services, gracefulShutdownSignals: [.sigterm, .sigint],
                logger: Log.make(max(settings.logLevel, .warning))
            ).run()
        } catch {
            throw ListeningError.settingsError(of: error, settings.listener) ?? error
        }
    }

    /// An audit log that cannot be written now refuses runs; it does not keep the service from answering.
    private static func recordQuietly(_ event: AuditEvent, in history: HistoryStore, _ logger: Logger) {
        do { try history.record(event) } catch { logger.error("\(event.kind.rawValue) could not be recorded: \(error)") }
    }
}
