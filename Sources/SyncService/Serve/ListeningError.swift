import Diagnostics
import Linux
import NIOCore

/// Why the listener could not open, in terms of the settings.
enum ListeningError {
    /// - Returns: nil for an error that is not about HOST and PORT.
    static func settingsError(of error: any Error, _ listener: ListenerSettings) -> SettingsError? {
        switch error {
        case let error as IOError:
            let cause = SystemError("bind", code: error.errnoCode)
            return SettingsError(
                "HOST and PORT: cannot listen on \(listener.host):\(listener.port): \(cause.reason)",
                fix: "stop what uses the port, or set another PORT", cause: cause)
        case let error as SocketAddressError.UnknownHost:
            // At a boot the resolver may come up later than this.
            return SettingsError(
                "HOST: the name \(listener.host) cannot be resolved: \(error.errorDescription)",
                fix: "set HOST to an address of this machine, or to a name that it can resolve", mayMendItself: true)
        default: return nil
        }
    }
}
