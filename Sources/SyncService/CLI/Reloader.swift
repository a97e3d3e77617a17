import AuditLog
import JSON
import Linux
import Logging
import ServiceLifecycle
import TLS
import UnixSignals

/// On SIGHUP reads the settings again and takes over what may change while serving: secrets, user lists and
/// JWT_NOT_BEFORE. Wrong new settings leave the old ones serving.
struct Reloader: Service {
    let environmentFile: String?
    let authenticator: Reloadable<Authenticator>
    /// As at the start: where the service listens does not change.
    let door: DoorSettings
    let hosts: Reloadable<AllowedHosts>
    let tls: CurrentTLSContext?
    let inquirer: Inquirer
    let history: History
    let logger: Logger

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            ServiceManager.notify("RELOADING=1\nMONOTONIC_USEC=\(Clock.monotonicMilliseconds() * 1000)")
            defer { ServiceManager.notify("READY=1") }
            do {
                let settings = try Settings(environmentFile: environmentFile)
                // Both are read before either is taken over: a bad pair must not leave half of the new settings in force.
                let context = try tls == nil ? nil : settings.door.loadTLS()
                inquirer.hide(settings.secretFiles)
                authenticator.replace(with: Authenticator(rules: try settings.requireTokens(), access: settings.access))
                if let tls, let context {
                    tls.value = context
                    hosts.replace(with: AllowedHosts(door, context))
                }
                let worker = Worker(threads: 1)
                // Who sent the signal the kernel does not tell; only root and the service's own user may.
                let read = ["certificate", "secrets", "users", "JWT_NOT_BEFORE"].map { JSON.string($0) }
                try await worker.run { try history.record([AuditEvent(.settingsChanged, [.init("read_again", .array(read))])]) }
                logger.notice("settings reloaded: certificate, secrets, users, JWT_NOT_BEFORE")
            } catch {
                logger.error("settings not reloaded, the old ones go on: \(error)")
            }
        }
    }
}
