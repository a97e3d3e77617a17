import JSON
import SQLite

/// A run as it is listed: every fact, without the output itself.
package struct RunRecord: Sendable {
    /// The run's members in the API's order.
    package let members: [JSONValue.Member]

    /// Reads a row of ``RunTable/runs``.
    package init(_ row: Row) { members = RunTable.runs.members(row) }

    package var id: Int64 {
        if case .integer(let id) = self["id"] { id } else { 0 }
    }

    package subscript(name: String) -> JSONValue { members.first { $0.name == name }?.value ?? .null }
}
