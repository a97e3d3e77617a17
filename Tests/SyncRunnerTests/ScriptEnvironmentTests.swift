import Linux
import Testing

@testable import SyncRunner

@Suite struct ScriptEnvironmentTests {
    private func entries(added: [String] = [], own: [String: String] = [:]) -> [String] {
        ScriptEnvironment.entries(
            run: 7, graceSeconds: 10, added: added, login: Account.Login(name: "sync", home: "/var/lib/sync", shell: "/bin/dash"), own: { own[$0] })
    }

    private let usual = [
        "HOME=/var/lib/sync", "LANG=C.UTF-8", "PATH=\(ScriptEnvironment.defaultPath)", "SHELL=/bin/dash", "SYNC_RUN_ID=7",
        "SYNC_STOP_GRACE_SECONDS=10", "USER=sync",
    ]

    @Test func withoutSettingsItHasTheUsualVariables() {
        #expect(entries() == usual)
    }

    @Test func noOtherVariableOfTheRunnerReachesTheScript() {
        let own = ["JWT_SECRET": "s", "SYNC_SCRIPT_PATH": "/x", "LD_PRELOAD": "/evil.so", "HOME": "/root", "USER": "root", "SYNC_RUN_ID": "1"]
        #expect(entries(own: own) == usual)
    }

    @Test func pathLanguageAndTimeZoneArePassedOn() {
        let found = entries(own: ["PATH": "/bin", "LANG": "de_DE.UTF-8", "TZ": "Europe/Berlin"])
        for entry in ["PATH=/bin", "LANG=de_DE.UTF-8", "TZ=Europe/Berlin"] { #expect(found.contains(entry)) }
        #expect(found.count == usual.count + 1)
    }

    @Test func addedEntriesWin() {
        let found = entries(added: ["DB_HOST=a=b", "PATH=/opt/bin", "EMPTY="])
        for entry in ["DB_HOST=a=b", "PATH=/opt/bin", "EMPTY="] { #expect(found.contains(entry)) }
        #expect(found.filter { $0.hasPrefix("PATH=") }.count == 1)
    }

    @Test func entriesWithoutANameAreLeftOut() {
        #expect(entries(added: ["=x", "nothing", ""]) == usual)
    }
}
