import Diagnostics
import JWT
import Testing

@testable import SyncService

@Suite struct SettingsSourceTests {
    // MARK: Names

    @Test(arguments: [
        ("SYNC_LOGPATH", "did you mean SYNC_LOG_PATH?"), ("JWT_SECRETFILE", "did you mean JWT_SECRET_FILE?"),
        ("TLS_CERT", "did you mean TLS_CERT_FILE?"), ("AUDIT_X", "unknown setting AUDIT_X."), ("CORS_ORIGIN", "unknown setting CORS_ORIGIN."),
    ])
    func anUnknownNameInAFileIsRefused(name: String, words: String) {
        let message = refusal { _ = try source("PORT=1\n\(name)=x") }
        #expect(message?.contains(".env line 2: ") == true)
        #expect(message?.contains(words) == true, "\(message ?? "accepted")")
    }

    @Test func namesOfOtherProgramsAreIgnored() throws {
        let settings = try source("DATABASE_URL=x", environment: ["LANG": "C"])
        #expect(settings.text("DATABASE_URL") == "x")
        #expect(settings.unknownInEnvironment.isEmpty)
    }

    @Test func aNameThatTheScriptGetsIsKnown() throws {
        let settings = try source("SYNC_ENV_PASS=SYNC_FLAVOUR\nSYNC_FLAVOUR=mint", environment: ["SYNC_FLAVOUR": "lime"])
        #expect(settings.unknownInEnvironment.isEmpty)
    }

    @Test func unknownNamesInTheEnvironmentAreListed() throws {
        let settings = try source(environment: ["SYNC_SCRIPT_PAHT": "x", "JWT_X": "y", "SYNC_RUN_ID": "7", "PORT": "1", "OTHER": "x"])
        #expect(settings.unknownInEnvironment == ["JWT_X", "SYNC_SCRIPT_PAHT"])
    }

    @Test func aNameInTwoFilesIsRefused() throws {
        let files = try [("a.env", "PORT=1"), ("b.env", "\nPORT=2")].map { path, text in
            EnvironmentFile(path: path, entries: try EnvironmentFile.parse(text, path: path))
        }
        let message = refusal { _ = try SettingsSource(environment: [:], files: files) }
        #expect(message?.contains("PORT is set in a.env and in b.env line 2") == true)
    }

    // MARK: Values

    @Test func theEnvironmentWinsOverTheFile() throws {
        #expect(try source("PORT=1", environment: ["PORT": "2"]).value(\.port) == 2)
        #expect(try source("PORT=1").value(\.port) == 1)
        #expect(try source().value(\.port) == 8000)
    }

    @Test func anEmptyValueIsTheDefault() throws {
        #expect(try source("PORT=").value(\.port) == 8000)
        #expect(try source("PORT=1", environment: ["PORT": ""]).value(\.port) == 8000)
        #expect(try !source("PORT=").isSet(\.port))
    }

    @Test func aMessageSaysWhereTheValueIsSet() {
        #expect(refusal { _ = try source("\nPORT=0").value(\.port) }?.contains("PORT (.env line 2) is \"0\"") == true)
        #expect(refusal { _ = try source(environment: ["PORT": "0"]).value(\.port) }?.contains("PORT (in the environment) is \"0\"") == true)
    }

    @Test(arguments: ["0", "65536", "http", "80 81", "-1", "+", "0x50", "99999999999999999999"])
    func aNumberOutOfItsRangeIsRefused(text: String) {
        let message = refusal { _ = try source(environment: ["PORT": text]).value(\.port) }
        #expect(message?.contains("not a whole number from 1 to 65535") == true)
        #expect(message?.contains("the default of 8000") == true)
    }

    @Test(arguments: [("1", 1), ("65535", 65535)] as [(String, Int64)])
    func theEndsOfARangeAreInIt(text: String, number: Int64) throws {
        #expect(try source(environment: ["PORT": text]).value(\.port) == number)
    }

    @Test func listsAreTrimmed() throws {
        #expect(try source("ADMIN_USERS= a, b ,,c d,").value(\.adminUsers) == ["a", "b", "c d"])
        #expect(try source("ADMIN_USERS=','").value(\.adminUsers) == [])
    }

    @Test(arguments: [("/a", "/a"), ("/a//./b/", "/a/b"), ("/", "/"), ("/a/..b", "/a/..b")])
    func aPathHasOneSpelling(text: String, path: String) throws {
        #expect(try source(environment: ["SYNC_LOG_PATH": text]).value(\.logPath) == path)
    }

    @Test(arguments: ["a", "./a", "/a/../b", "/..", "/a\u{1}", "/" + String(repeating: "a", count: 4096)])
    func aPathIsAbsolute(text: String) {
        #expect(refusal { _ = try source(environment: ["SYNC_LOG_PATH": text]).value(\.logPath) }?.contains("SYNC_LOG_PATH") == true)
    }

    @Test func aFlagIsTrueOrFalse() throws {
        #expect(try source("ALLOW_PLAINTEXT=true").value(\.allowsPlaintext))
        #expect(try !source("ALLOW_PLAINTEXT=false").value(\.allowsPlaintext))
        #expect(refusal { _ = try source("ALLOW_PLAINTEXT=yes").value(\.allowsPlaintext) }?.contains("set true or false") == true)
    }

    @Test func aChoiceNamesAllValues() throws {
        #expect(try source("JWT_ALGORITHM=HS512").value(\.algorithm) == .HS512)
        #expect(refusal { _ = try source("JWT_ALGORITHM=hs256").value(\.algorithm) }?.contains("set one of HS256, HS384, HS512") == true)
    }
}
