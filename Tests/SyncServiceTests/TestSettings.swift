import Diagnostics

@testable import SyncService

/// A source with the lines of one file, `.env`, and an environment.
func source(_ file: String = "", environment: [String: String] = [:]) throws(SettingsError) -> SettingsSource {
    let entries = try EnvironmentFile.parse(file, path: ".env")
    return try SettingsSource(environment: environment, files: [EnvironmentFile(path: ".env", entries: entries)])
}

/// What an operator reads if `body` refuses the settings; nil if it accepts them.
func refusal(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        return "\(error)"
    }
}
