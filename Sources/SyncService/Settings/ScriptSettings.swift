import Diagnostics
import Runs

extension ScriptSettings {
    init(_ source: SettingsSource) throws(SettingsError) {
        let respondAfter = try source.value(\.respondAfterSeconds)
        let passed = try source.value(\.passedEnvironment)
        self.init(
            path: try source.value(\.scriptPath), workingDirectory: try source.value(\.workingDirectory),
            lockPath: try source.value(\.lockPath), logPath: try source.value(\.logPath), logDirectory: try source.value(\.logDirectory),
            timeoutSeconds: try source.value(\.timeoutSeconds), graceSeconds: try source.value(\.graceSeconds),
            outputLimit: try source.value(\.outputLimit), respondAfter: respondAfter > 0 ? .seconds(respondAfter) : nil,
            environment: passed.compactMap { name in source.text(name).map { "\(name)=\($0)" } })
    }
}
