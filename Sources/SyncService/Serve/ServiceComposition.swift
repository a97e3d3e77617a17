import AuditLog
import Diagnostics
import HTTPServer
import History
import Logging
import Runs
import ServiceLifecycle

/// The parts of the service and how they are connected. Nothing else makes them.
///
///     server ─▶ routes ─▶ endpoints ─┬─▶ coordinator ─▶ performer ─▶ runner, history
///                                    ├─▶ runnerClient ─▶ runner
///                                    ├─▶ readiness ─▶ runnerClient, history
///                                    ├─▶ events ─▶ history
///                                    └─▶ history
///     reloader ─▶ reloadable, runnerClient, events, history
///     externalRuns, lastRun, verification ─▶ history
package struct ServiceComposition: Sendable {
    let settings: Settings
    let reloadable: ReloadableParts
    let pools: ServicePools
    let logger: Logger

    package let history: HistoryStore
    let events: EventBuffer
    let verification: StartupVerification
    let runnerClient: RunnerClient
    package let coordinator: RunCoordinator
    let reloader: Reloader

    private init(
        settings: Settings, environmentFile: String?, reloadable: ReloadableParts, pools: ServicePools, logger: Logger,
        history: HistoryStore, runner: RunnerConnector, runnerClient: RunnerClient, leave: LeaveSignal
    ) {
        self.settings = settings
        self.reloadable = reloadable
        self.pools = pools
        self.logger = logger
        self.history = history
        self.runnerClient = runnerClient
        events = EventBuffer(history: history, pool: pools.writing, logger: logger)
        verification = StartupVerification(history: history, pinned: settings.audit.pinned, logger: logger)
        coordinator = RunCoordinator(
            performer: RunPerformer(
                settings: settings.runs, runner: runner, runnerClient: runnerClient, history: history, logger: logger),
            leave: leave, pool: pools.runs, cancelling: pools.cancelling, logger: logger)
        reloader = Reloader(
            environmentFile: environmentFile, settings: settings, reloadable: reloadable, runnerClient: runnerClient, history: history,
            events: events, pools: pools, logger: logger)
    }

    /// Finds the runner, asks it who it is, opens the history, and connects the parts. Blocks.
    /// - Throws: ``SettingsError``, ``Unavailable`` or ``HistoryError``, each with what to do.
    package static func open(
        _ settings: Settings, environmentFile: String?, reloadable: ReloadableParts, pools: ServicePools, logger: Logger
    ) throws -> ServiceComposition {
        let runner = try RunnerConnector.find(settings.runs)
        let runnerClient = RunnerClient(settings.runs, runner: runner)
        // Now, not at the first run, it shows that service and runner are of different releases.
        do { try runnerClient.requireRunner() } catch let error as RunnerRefusal where error.isAboutSettings {
            throw SettingsError("\(runner): \(error)", fix: runner.fix)
        } catch {
            throw Unavailable("\(runner): \(error)", fix: runner.fix)
        }
        return ServiceComposition(
            settings: settings, environmentFile: environmentFile, reloadable: reloadable, pools: pools, logger: logger,
            history: try settings.openHistory(), runner: runner, runnerClient: runnerClient, leave: try LeaveSignal.open())
    }

    /// The handlers of all routes.
    var endpoints: Endpoints {
        Endpoints(
            sync: SyncEndpoints(
                script: settings.script, coordinator: coordinator, runnerClient: runnerClient, history: history, events: events,
                pools: pools),
            runs: RunHistoryEndpoints(history: history.reader, events: events, pools: pools),
            control: RunControlEndpoints(
                script: settings.script, coordinator: coordinator, runnerClient: runnerClient, history: history, pools: pools),
            audit: AuditEndpoints(history: history, settings: settings.audit, events: events, pools: pools),
            health: HealthEndpoints(
                readiness: Readiness(history: history, runnerClient: runnerClient, settings: settings.runs), coordinator: coordinator,
                pools: pools))
    }

    /// All that goes on until the service stops. They are told to stop from the last to the first: runs, so that waiting
    /// clients get an answer, then the listener, then what records events when no more can come.
    var services: [any Service] {
        [
            reloader,
            ExternalRunDetector(
                runnerClient: runnerClient, history: history, questions: pools.questions, writing: pools.writing, logger: logger),
            BackgroundVerification(verification, pool: pools.verification),
            LastRunWatch(history: history, pool: pools.reads),
            events,
            server,
            coordinator,
            Heartbeat(coordinator: coordinator),
        ]
    }
}
