import Diagnostics
import HTTPServer
import TLS

/// What ``Reloader`` replaces while requests are answered: rules for tokens, certificate, and the host names that come from it.
package struct ReloadableParts: Sendable {
    package let authenticator: Reloadable<Authenticator>
    let hosts: Reloadable<AllowedHosts>
    /// nil: plain HTTP.
    let tls: CurrentTLSContext?
    /// The certificate at the start; nil: plain HTTP.
    let loadedTLS: LoadedTLS?

    private init(authenticator: Authenticator, listener: ListenerSettings, loadedTLS: LoadedTLS?) {
        self.authenticator = Reloadable(authenticator)
        self.loadedTLS = loadedTLS
        tls = loadedTLS.map { CurrentTLSContext($0.context) }
        hosts = Reloadable(AllowedHosts(listener, loadedTLS?.context))
    }

    /// Reads certificate and key. Blocks.
    /// - Throws: ``SettingsError`` where no secret is set, or where certificate and key cannot be used.
    package static func load(_ settings: Settings) throws(SettingsError) -> ReloadableParts {
        let authenticator = Authenticator(rules: try settings.requireTokens(), access: settings.access)
        return ReloadableParts(authenticator: authenticator, listener: settings.listener, loadedTLS: try settings.listener.loadTLS())
    }
}
