import AuditLog
import HTTPServer
import Linux
import Testing

@testable import SyncService

/// security/AUDIT_FORMAT.md tells auditors of every event and every reason, and of no other.
@Suite struct AuditFormatTests {
    /// The first cells of a table's rows, without their quotes.
    private func firstCells(ofTable header: String) throws -> [String] {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let page = String(decoding: try Files.read("/\(root)/security/AUDIT_FORMAT.md", limit: 1 << 20), as: UTF8.self)
        let lines = page.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0.hasPrefix(header) })
        return lines[(start + 2)...].prefix { $0.hasPrefix("| `") }.compactMap { $0.split(separator: "`").dropFirst().first.map(String.init) }
    }

    @Test func everyEventIsExplained() throws {
        #expect(try firstCells(ofTable: "| event |").sorted() == Event.allCases.map(\.rawValue).sorted())
    }

    @Test func everyReasonIsExplained() throws {
        #expect(try firstCells(ofTable: "| reason |").sorted() == TokenRefusal.Reason.allCases.map(\.rawValue).sorted())
    }
}
