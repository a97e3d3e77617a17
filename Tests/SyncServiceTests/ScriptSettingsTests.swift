import Runs
import Testing

@testable import SyncService

@Suite struct ScriptSettingsTests {
    @Test func defaults() throws {
        let script = try ScriptSettings(source())
        #expect(script.path == nil)
        #expect(script.lockPath == "/tmp/sync_fkk_db.lock")
        #expect(script.logPath == "/var/log/sync_fkk_db.log")
        #expect(script.timeoutSeconds == 21600)
        #expect(script.graceSeconds == 10)
        #expect(script.outputLimit == 1 << 20)
        #expect(script.respondAfter == nil)
        #expect(script.environment.isEmpty)
    }

    @Test func zeroWaitsForTheEnd() throws {
        #expect(try ScriptSettings(source("SYNC_RESPOND_AFTER_SECONDS=0")).respondAfter == nil)
        #expect(try ScriptSettings(source("SYNC_RESPOND_AFTER_SECONDS=5")).respondAfter == .seconds(5))
    }

    @Test func theScriptGetsWhatIsListedAndSet() throws {
        let file = "SYNC_ENV_PASS=A, B,C,SYNC_LOG_PATH\nA=from the file\nSYNC_LOG_PATH=/log\nD=not listed"
        let script = try ScriptSettings(source(file, environment: ["B": "from the environment", "C": ""]))
        #expect(script.environment == ["A=from the file", "B=from the environment", "SYNC_LOG_PATH=/log"])
    }

    @Test(arguments: ["JWT_SECRET", "A,JWT_ANYTHING", "A=b"])
    func theScriptNeverGetsASecret(list: String) {
        let message = refusal { _ = try ScriptSettings(source(environment: ["SYNC_ENV_PASS": list])) }
        #expect(message?.contains("which the script must never see") == true)
    }
}
