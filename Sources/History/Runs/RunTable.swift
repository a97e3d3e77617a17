import JSON
import SQLite

/// A table or view of runs: its columns, and its rows as members of the same names.
struct RunTable: Sendable {
    let name: String
    let columns: [String]
    /// For each column whether its 0 and 1 mean false and true.
    private let isFlag: [Bool]

    private init(name: String, columns: [String]) {
        self.name = name
        self.columns = columns
        isFlag = columns.map { Self.flags.contains($0) }
    }

    static let started = RunTable(
        name: "run_started",
        columns: [
            "user", "user_name", "token_fingerprint", "trigger", "reason", "source_ip", "request_id", "started_at",
            "script_path", "script_sha256", "script_uid", "isolated", "boot_id",
        ])
    static let finished = RunTable(
        name: "run_finished",
        columns: [
            "finished_at", "finished_at_exact", "duration_ms", "outcome", "why", "exit_code", "signal", "output_bytes",
            "output_truncated", "output_sha256", "script_changed", "lock_file_seen",
        ])
    /// What the API shows of a run, in its order.
    static let runs = RunTable(
        name: "runs",
        columns: [
            "id", "user", "user_name", "token_fingerprint", "trigger", "reason", "source_ip", "request_id", "started_at",
            "finished_at", "finished_at_exact", "duration_ms", "outcome", "exit_code", "signal", "output_bytes",
            "output_truncated", "output_sha256", "script_path", "script_sha256", "script_changed", "lock_file_seen",
            "script_uid", "isolated", "boot_id",
        ])

    private static let flags: Set = ["finished_at_exact", "output_truncated", "script_changed", "lock_file_seen", "isolated"]

    /// For use in a SELECT; `trigger` is a word of SQL.
    var selection: String { columns.map { "\"\($0)\"" }.joined(separator: ", ") }

    /// A row of ``selection``. Facts that are absent are null.
    func members(_ row: Row) -> [JSONValue.Member] {
        columns.indices.map { JSONValue.Member(columns[$0], fact($0, of: row) ?? .null) }
    }

    /// A fact of a row of ``selection``; nil for a value that this program never writes there.
    func fact(_ column: Int, of row: Row) -> JSONValue? {
        switch row.value(column) {
        case .null: .null
        case .text(let text): .string(text)
        case .integer(let number) where !isFlag[column]: .integer(number)
        case .integer(0): .bool(false)
        case .integer(1): .bool(true)
        default: nil
        }
    }

    func insert(_ members: [JSONValue.Member], run: Int64, _ connection: Connection) throws(SQLiteError) {
        let names = (["id"] + members.map(\.name)).map { "\"\($0)\"" }.joined(separator: ", ")
        let marks = Array(repeating: "?", count: members.count + 1).joined(separator: ", ")
        try connection.execute(
            "INSERT INTO \(name) (\(names)) VALUES (\(marks))", [.integer(run)] + members.map { Self.value($0.value) })
    }

    private static func value(_ value: JSONValue) -> Value {
        switch value {
        case .integer(let number): .integer(number)
        case .bool(let flag): .integer(flag ? 1 : 0)
        case .string(let text): .text(text)
        default: .null
        }
    }
}
