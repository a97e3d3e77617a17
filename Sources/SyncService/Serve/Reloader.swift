import AuditLog
import Diagnostics
import HTTPServer
import History
import JWT
import Linux
import Logging
import Runs
import ServiceLifecycle
import TLS
import Threads
import UnixSignals

/// On SIGHUP reads the settings again and takes over what may change while serving: certificate, secrets, user lists and
/// JWT_NOT_BEFORE. Every other setting stays as it was at the start; a changed one is named as needing a restart. Wrong
/// new settings leave the old ones in force.
struct Reloader: Service {
    let environmentFile: String?
    /// As they were at the start.
    let settings: Settings
    let reloadable: ReloadableParts
    let runnerClient: RunnerClient
    let history: HistoryStore
    let events: EventBuffer
    let pools: ServicePools
    let logger: Logger

    func run() async throws {
        var inForce = SettingsReading.values(settings, reloadable.loadedTLS)
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            ServiceManager.notify("RELOADING=1\nMONOTONIC_USEC=\(Clock.monotonicMilliseconds() * 1000)")
            defer { ServiceManager.notify("READY=1") }
            let before = inForce
            do {
                let reading = try await pools.settings.run {
                    try SettingsReading.make(environmentFile, atStart: settings, withTLS: reloadable.tls != nil, since: before)
                }
                takeOver(reading)
                inForce.take(reading.taken, from: reading.values)
                await report(reading)
            } catch {
                logger.error("settings not reloaded, the old ones go on: \(error)")
                await record(.settingsChanged(.refused))
            }
        }
    }

    private func takeOver(_ reading: SettingsReading) {
        runnerClient.hide(reading.secretFiles)
        reloadable.authenticator.replace(with: reading.authenticator)
        if let tls = reloadable.tls, let loaded = reading.tls {
            tls.value = loaded.context
            reloadable.hosts.replace(with: AllowedHosts(settings.listener, loaded.context))
        }
    }

    /// Logs and records what is in force by now: a revoked token must not wait for a busy database.
    private func report(_ reading: SettingsReading) async {
        let taken = reading.taken.isEmpty ? "nothing has changed" : reading.taken.joined(separator: ", ")
        let waiting =
            reading.needRestart.isEmpty ? "" : "; changed too, but in force only after a restart: \(reading.needRestart.joined(separator: ", "))"
        logger.log(level: waiting.isEmpty ? .notice : .warning, "settings reloaded: \(taken)\(waiting)")
        await record(.settingsChanged(.reloaded, changed: reading.taken, needRestart: reading.needRestart))
    }

    /// Without a principal: the kernel does not tell who sent the signal. Only root and the service's own user may.
    private func record(_ event: AuditEvent) async {
        do {
            let history = history
            try await pools.writing.run { try history.record(event) }
        } catch {
            events.add(event)
            logger.error("settings_changed is not in the history yet, which is tried again: \(error)")
        }
    }
}
