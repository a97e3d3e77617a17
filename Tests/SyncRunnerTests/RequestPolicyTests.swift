import Linux
import RunProtocol
import Testing

@testable import SyncRunner

@Suite struct RequestPolicyTests {
    private static let settings = [
        "SYNC_RUNNER_CLIENT": "996", "SYNC_RUN_DIR": "/run/sync", "SYNC_SCRIPT_PATH": "/opt//sync/./sync.sh", "SYNC_ENV_PASS": "DB_HOST, DB_USER",
    ]

    private func policy(_ changes: [String: String] = [:]) throws -> RequestPolicy {
        let settings = Self.settings.merging(changes) { $1 }
        return try RequestPolicy { settings[$0] }
    }

    private func request(
        script: String = "/opt/sync/sync.sh", workingDirectory: String? = nil, lockPath: String = ScriptPaths.lock,
        runDirectory: String = "/run/sync/",
        environment: [String] = []
    ) -> Message {
        RunRequest(
            script: script, workingDirectory: workingDirectory, lockPath: lockPath, runDirectory: runDirectory, timeoutSeconds: 1, graceSeconds: 1,
            outputLimit: 2, environment: environment
        ).message
    }

    @Test func theSettingsOfBothMayBeSpelledDifferently() throws {
        #expect(try policy().objection(to: request()) == nil)
        #expect(try policy().client == 996)
    }

    @Test func anotherPathIsRefusedByTheNameOfItsSetting() throws {
        let cases = [
            ("SYNC_SCRIPT_PATH", request(script: "/tmp/evil.sh")), ("SYNC_SCRIPT_PATH", request(script: "/opt/sync/../evil.sh")),
            ("SYNC_RUN_DIR", request(runDirectory: "/run")), ("SYNC_LOCK_PATH", request(lockPath: "/etc/passwd")),
            ("SYNC_WORKING_DIR", request(workingDirectory: "/")),
            ("SYNC_LOG_PATH", LogTailRequest(logPath: "/etc/shadow", logDirectory: nil, stateDirectory: "/s", forbidden: []).message),
            ("SYNC_LOG_DIR", LogTailRequest(logPath: ScriptPaths.log, logDirectory: "/", stateDirectory: "/s", forbidden: []).message),
        ]
        for (setting, message) in cases {
            let objection = try #require(try policy().objection(to: message))
            #expect(objection.contains("asks for \(setting) "))
        }
    }

    @Test func theDefaultPathsOfLockAndLogCount() throws {
        #expect(try policy().objection(to: LockFileRequest(lockPath: ScriptPaths.lock).message) == nil)
        #expect(try policy(["SYNC_LOCK_PATH": "/l"]).objection(to: LockFileRequest(lockPath: ScriptPaths.lock).message) != nil)
        #expect(try policy(["SYNC_LOCK_PATH": ""]).objection(to: LockFileRequest(lockPath: ScriptPaths.lock).message) == nil)
    }

    @Test func aWorkingDirectoryOfTheRunnerMustBeAskedFor() throws {
        let own = try policy(["SYNC_WORKING_DIR": "/srv"])
        #expect(own.objection(to: request())?.contains("asks for no SYNC_WORKING_DIR") == true)
        #expect(own.objection(to: request(workingDirectory: "/srv")) == nil)
    }

    @Test(arguments: [("DB_HOST=x", true), ("DB_USER=", true), ("DB_HOSTS=x", false), ("LD_PRELOAD=x", false), ("DB_HOST", false), ("=x", false)])
    func onlyListedVariablesArePassed(entry: String, allowed: Bool) throws {
        let objection = try policy().objection(to: request(environment: [entry]))
        #expect((objection == nil) == allowed)
        #expect(objection?.contains("=") != true, "a value may be a secret")
    }

    @Test(arguments: [
        ("/opt/sync/sync.sh", true), ("/opt/sync", true), ("/run", true), ("/", false), ("/opt", false), ("/etc/shadow", false),
        ("/opt/sync/other", false),
    ])
    func onlyPathsOfTheSettingsAndTheirFoldersAreLookedAt(path: String, allowed: Bool) throws {
        #expect((try policy().objection(to: PathRequest(path: path).message) == nil) == allowed)
    }

    @Test func anUnknownClientIsASetupError() {
        #expect(throws: SetupError.self) { try policy(["SYNC_RUNNER_CLIENT": "no such user"]) }
    }
}
