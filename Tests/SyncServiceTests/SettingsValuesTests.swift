import OpenSSL
import Testing

@testable import SyncService

@Suite struct SettingsValuesTests {
    private func values(_ file: String) throws -> SettingsValues { SettingsValues(try source(file)) }

    @Test func changedNamesAreSorted() throws {
        let old = try values("PORT=1\nLOG_LEVEL=info\nHOST=::1")
        let new = try values("PORT=2\nLOG_LEVEL=info\nDENY_USERS=agus")
        #expect(new.changed(since: old) == ["DENY_USERS", "HOST", "PORT"])
        #expect(old.changed(since: old).isEmpty)
    }

    @Test func aVariableOfTheScriptIsOneOfThem() throws {
        let (old, new) = (try values("SYNC_ENV_PASS=A\nA=1"), try values("SYNC_ENV_PASS=A\nA=2"))
        #expect(new.changed(since: old) == ["A"])
    }

    @Test func theContentOfAFileIsPartOfItsSetting() throws {
        var (old, new) = (try values("JWT_SECRET_FILE=/a"), try values("JWT_SECRET_FILE=/a"))
        old.include(SHA256.hash([1]), in: \.secretFile)
        new.include(SHA256.hash([2]), in: \.secretFile)
        #expect(new.changed(since: old) == ["JWT_SECRET_FILE"])
    }

    @Test func theContentOfAnUnsetFileIsNothing() throws {
        var new = try values("")
        new.include(SHA256.hash([2]), in: \.secretFile)
        #expect(new.changed(since: try values("")).isEmpty)
    }

    @Test func takenValuesAreNoChangesAnyMore() throws {
        var old = try values("PORT=1\nHOST=::1")
        let new = try values("PORT=2\nDENY_USERS=agus")
        old.take(["DENY_USERS"], from: new)
        #expect(new.changed(since: old) == ["HOST", "PORT"])
    }
}
