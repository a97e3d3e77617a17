import AuditLog
import TestSupport
import Testing

@testable import History

/// security/AUDIT_FORMAT.md tells auditors of every kind of entry and its members, as the code writes them.
@Suite struct AuditFormatTests {
    @Test func theTableOfEventsIsTheCodes() throws {
        var forms: [Event: EntryForm] = [:]
        for entry in try SampleEntries.all() {
            if case .summary = entry.event { continue }
            // The first sample of a kind has all members.
            if forms[entry.event.kind] == nil { forms[entry.event.kind] = entry.event.form }
        }
        let rows = try Event.allCases.map { kind in
            let form = try #require(forms[kind], "add a sample of \(kind) to SampleEntries")
            return ["`\(kind.rawValue)`", form.when, Self.text(form.members)]
        }
        let table = GeneratedTable("events", in: "security/AUDIT_FORMAT.md")
        #expect(try table.difference(from: [["event", "when", "members"]] + rows) == nil, "run make audit-format")
    }

    private static func text(_ members: [EntryMember]) -> String {
        let explained = members.filter { !$0.isRunFact }.map { "`\($0.name)` (\($0.type)): \($0.meaning)" }
        let facts = members.filter(\.isRunFact).map { "`\($0.name)`" }
        return (explained + (facts.isEmpty ? [] : ["facts of the run: \(facts.joined(separator: ", "))"])).joined(separator: "; ")
    }
}
