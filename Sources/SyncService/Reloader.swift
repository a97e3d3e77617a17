import AuditLog
import Diagnostics
import History
import HTTPServer
import JWT
import Linux
import Logging
import Runs
import ServiceLifecycle
import Threads
import TLS
import UnixSignals

/// On SIGHUP reads the settings again and takes over what may change while serving: certificate, secrets, user lists and
/// JWT_NOT_BEFORE. Every other setting stays as it was at the start; a changed one is named as needing a restart. Wrong
/// new settings leave the old ones serving.
struct Reloader: Service {
    private static let reloadable = Set(SettingDeclarations.all.filter(\.reloads).map(\.name))
    /// Without HTTPS at the start, a new pair waits for a restart.
    private static let certificateNames = [SettingDeclarations.shared.certificateFile.name, SettingDeclarations.shared.keyFile.name]

    /// Settings that were read again and found right, with the names of those that have changed.
    private struct Reading {
        let values: SettingsValues
        let authenticator: Authenticator
        /// nil where the service keeps the pair it has.
        let tls: LoadedTLS?
        let secretFiles: [String]
        /// Those that the service takes over.
        let taken: [String]
        let needRestart: [String]
    }

    let environmentFile: String?
    /// As they were at the start.
    let settings: Settings
    /// The certificate at the start; nil: plain HTTP.
    let loadedTLS: LoadedTLS?
    let authenticator: Reloadable<Authenticator>
    let hosts: Reloadable<AllowedHosts>
    let tls: CurrentTLSContext?
    let runnerClient: RunnerClient
    let history: HistoryStore
    let events: EventBuffer
    let logger: Logger
    let pools: ServicePools

    func run() async throws {
        var inForce = Self.values(settings, loadedTLS)
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            ServiceManager.notify("RELOADING=1\nMONOTONIC_USEC=\(Clock.monotonicMilliseconds() * 1000)")
            defer { ServiceManager.notify("READY=1") }
            let before = inForce
            do {
                let reading = try await pools.settings.run { try read(since: before) }
                takeOver(reading)
                inForce.take(reading.taken, from: reading.values)
                await tell(reading)
            } catch {
                logger.error("settings not reloaded, the old ones go on: \(error)")
                await record(.settingsChanged(.refused))
            }
        }
    }

    private static func values(_ settings: Settings, _ tls: LoadedTLS?) -> SettingsValues {
        var values = settings.values
        values.include(tls?.certificateDigest, in: \.certificateFile)
        values.include(tls?.keyDigest, in: \.keyFile)
        return values
    }

    /// Reads and checks everything before anything is taken over: a bad pair of certificate and key must not leave half of
    /// the new settings in force. Blocks.
    private func read(since inForce: SettingsValues) throws -> Reading {
        let new = try Settings.load(environmentFile: environmentFile)
        let newTLS = try tls == nil ? nil : new.listener.loadTLS()
        let values = Self.values(new, newTLS)
        let changed = values.changed(since: inForce)
        let reloadable = newTLS == nil ? Self.reloadable.subtracting(Self.certificateNames) : Self.reloadable
        return Reading(
            values: values, authenticator: try newAuthenticator(new), tls: newTLS, secretFiles: new.secretFiles,
            taken: changed.filter(reloadable.contains), needRestart: changed.filter { !reloadable.contains($0) })
    }

    /// The rules of the start with the new secrets, lists and time.
    private func newAuthenticator(_ new: Settings) throws(SettingsError) -> Authenticator {
        var rules = try settings.requireTokens()
        let newRules = try new.requireTokens()
        // The new secrets were checked for the algorithm in the new settings, which may be another.
        let minimum = rules.algorithm.minimumSecretBytes
        guard newRules.secret.count >= minimum, newRules.previousSecret.map({ $0.count >= minimum }) ?? true else {
            throw SettingsError(
                "a secret is shorter than the \(minimum) bytes that \(rules.algorithm.rawValue) needs, the JWT_ALGORITHM in force",
                fix: "restart the service to change JWT_ALGORITHM, or set a longer secret")
        }
        rules.secret = newRules.secret
        rules.previousSecret = newRules.previousSecret
        rules.notBefore = newRules.notBefore
        var access = settings.access
        access.adminUsers = new.access.adminUsers
        access.runUsers = new.access.runUsers
        access.deniedUsers = new.access.deniedUsers
        return Authenticator(rules: rules, access: access)
    }

    private func takeOver(_ reading: Reading) {
        runnerClient.hide(reading.secretFiles)
        authenticator.replace(with: reading.authenticator)
        if let tls, let loaded = reading.tls {
            tls.value = loaded.context
            hosts.replace(with: AllowedHosts(settings.listener, loaded.context))
        }
    }

    /// Logs and records what is in force by now: a revoked token must not wait for a busy database.
    private func tell(_ reading: Reading) async {
        let taken = reading.taken.isEmpty ? "nothing has changed" : reading.taken.joined(separator: ", ")
        let waiting = reading.needRestart.isEmpty ? "" : "; changed too, but in force only after a restart: \(reading.needRestart.joined(separator: ", "))"
        logger.log(level: waiting.isEmpty ? .notice : .warning, "settings reloaded: \(taken)\(waiting)")
        await record(.settingsChanged(.reloaded, changed: reading.taken, needRestart: reading.needRestart))
    }

    /// Without a principal: the kernel does not tell who sent the signal. Only root and the service's own user may.
    private func record(_ event: AuditEvent) async {
        do {
            let history = history
            try await pools.writing.run { try history.record(event) }
        } catch {
            await events.add(event)
            logger.error("settings_changed is not in the history yet, which is tried again: \(error)")
        }
    }
}
