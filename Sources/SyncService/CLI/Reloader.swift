import AuditLog
import Logging
import ServiceLifecycle
import UnixSignals

/// On SIGHUP reads the settings again and takes over what may change while serving: secrets, user lists and
/// JWT_NOT_BEFORE. Wrong new settings leave the old ones serving.
struct Reloader: Service {
    let environmentFile: String?
    let authenticator: Reloadable<Authenticator>
    let history: History
    let logger: Logger

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            do {
                let settings = try Settings(environmentFile: environmentFile)
                authenticator.replace(with: Authenticator(rules: try settings.requireTokens(), access: settings.access))
                let worker = Worker(threads: 1)
                try await worker.run { try history.record([AuditEvent(.settingsChanged)]) }
                logger.notice("settings reloaded: secrets, users, JWT_NOT_BEFORE")
            } catch {
                logger.error("settings not reloaded, the old ones go on: \(error)")
            }
        }
    }
}
