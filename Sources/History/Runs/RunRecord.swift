import JSON
import SQLite

/// A run as the API and the command line list it: its facts, without the output.
package struct RunRecord: Sendable {
    /// The run's number and facts in the API's order.
    package let members: [JSONValue.Member]

    /// Reads a row of ``RunTable/runs``.
    package init(_ row: Row) { members = RunTable.runs.members(row) }

    package var id: Int64 {
        if case .integer(let id) = self["id"] { id } else { 0 }
    }

    /// The fact of that name; null if it is absent or the API does not show it.
    package subscript(name: String) -> JSONValue { members.first { $0.name == name }?.value ?? .null }
}
