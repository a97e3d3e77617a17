import History
import Runs
import Testing

@testable import SyncService

/// config/env.example explains every setting with its default, and nothing else.
@Suite struct SettingDeclarationsTests {
    /// A line of the file that sets something, and the comment above its group of lines.
    private struct Line {
        let name: String
        let value: String
        let comment: String
    }

    private func example() throws -> [Line] {
        var lines: [Line] = []
        var comment = ""
        for line in try repositoryFile("config/env.example").split(separator: "\n", omittingEmptySubsequences: false) {
            let text = line.drop { $0 == "#" }
            let name = text.prefix { $0 == "_" || $0.isUppercase }
            if line.isEmpty {
                comment = ""
            } else if !name.isEmpty, text.dropFirst(name.count).first == "=" {
                lines.append(Line(name: String(name), value: String(text.dropFirst(name.count + 1)), comment: comment))
            } else {
                comment += text
            }
        }
        return lines
    }

    @Test func theExampleHasEverySettingInItsOrder() throws {
        #expect(try example().map(\.name) == SettingDeclarations.all.map(\.name))
    }

    @Test func theExampleShowsEachDefault() throws {
        for (line, declared) in zip(try example(), SettingDeclarations.all) {
            #expect(line.value == declared.example ?? declared.defaultText ?? "", "\(line.name)")
        }
    }

    @Test func theExampleExplainsEachSetting() throws {
        for (line, declared) in zip(try example(), SettingDeclarations.all) {
            #expect(line.comment.contains(declared.help), "\(line.name): \(line.comment)")
        }
    }

    /// What the file shows is a value that the service accepts.
    @Test func theExamplesAreValid() throws {
        let entries = try example().filter { !$0.value.isEmpty }
        let text = entries.map { "\($0.name)=\($0.value)" }.joined(separator: "\n")
        let file = EnvironmentFile(path: "env.example", entries: try EnvironmentFile.parse(text, path: "env.example"))
        let settings = try Settings(SettingsSource(environment: [:], files: [file]), secrets: nil)
        #expect(settings.listener.port == 8000)
        #expect(settings.script.timeoutSeconds == 21600)
        #expect(settings.audit.origin == "sync.example/sync-history")
    }

    /// The runner reads some of the settings by itself.
    @Test func theRunnersSettingsAreDeclared() throws {
        let text = try repositoryFile("Sources/SyncRunner/RequestPolicy.swift")
        let names = text.split(separator: "\"").filter { $0.hasPrefix("SYNC_") && $0.allSatisfy { $0 == "_" || $0.isUppercase } }
        #expect(names.count > 5)
        #expect(Set(names.map(String.init)).isSubset(of: SettingDeclarations.names))
    }

    @Test func namesAreUnique() {
        #expect(SettingDeclarations.names.count == SettingDeclarations.all.count)
        #expect(SettingDeclarations.all.count == Mirror(reflecting: SettingDeclarations.shared).children.count)
    }

    @Test func aReloadTakesOverWhatIsDocumented() {
        #expect(
            SettingDeclarations.all.filter(\.reloads).map(\.name).sorted() == [
                "ADMIN_USERS", "DENY_USERS", "JWT_NOT_BEFORE", "JWT_PREVIOUS_SECRET_FILE", "JWT_SECRET", "JWT_SECRET_FILE", "RUN_USERS",
                "TLS_CERT_FILE", "TLS_KEY_FILE",
            ])
    }
}
