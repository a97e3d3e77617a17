import HTTPServer
import TestSupport
import Testing

@testable import SyncService

/// security/AUDIT_FORMAT.md tells auditors of every reason for which a token is refused.
@Suite struct AuditFormatTests {
    @Test func theTableOfReasonsIsTheCodes() throws {
        let rows = TokenRefusal.Reason.allCases.map { ["`\($0.rawValue)`", $0.explanation] }
        let table = GeneratedTable("reasons", in: "security/AUDIT_FORMAT.md")
        #expect(try table.difference(from: [["reason", "the token"]] + rows) == nil, "run make audit-format")
    }
}
