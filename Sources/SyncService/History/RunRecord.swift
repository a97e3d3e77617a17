import JSON
import Linux
import RunProtocol
import SQLite

/// What is recorded before a script starts.
struct RunStart: Sendable {
    var requester: Requester
    /// Milliseconds since 1970 UTC.
    var startedAt: Int64
    var scriptPath: String
    var scriptSHA256: String?
    var scriptUID: Int64?
    var isolated: Bool?
    var bootID: String?

    /// The facts under the names they have in the table, the trail and the API.
    var members: [JSON.Member] {
        [
            .init("user", .string(requester.user)), .init("user_name", .optional(requester.userName)),
            .init("token_fingerprint", .optional(requester.tokenFingerprint)),
            .init("trigger", .string(requester.trigger.rawValue)), .init("reason", .optional(requester.reason)),
            .init("source_ip", .optional(requester.sourceIP)), .init("request_id", .string(requester.requestID)),
            .init("started_at", .string(Timestamp.text(startedAt))), .init("script_path", .string(scriptPath)),
            .init("script_sha256", .optional(scriptSHA256)), .init("script_uid", .optional(scriptUID)),
            .init("isolated", .optional(isolated)), .init("boot_id", .optional(bootID)),
        ]
    }
}

/// Who asked for a run, and how. Nothing of it reaches the script.
struct Requester: Sendable {
    enum Trigger: String, Sendable, CaseIterable { case api, cli }
    var user: String
    var userName: String?
    var tokenFingerprint: String?
    var trigger: Trigger
    var reason: String?
    var sourceIP: String?
    var requestID: String

    var actor: Actor { Actor(user: user, tokenFingerprint: tokenFingerprint, sourceIP: sourceIP, requestID: requestID) }
}

/// What is recorded when a run is over.
struct RunFinish: Sendable {
    /// Milliseconds since 1970 UTC.
    var finishedAt: Int64
    /// false: the run ended at this time or before.
    var finishedAtExact: Bool
    var durationMilliseconds: Int64?
    var outcome: Outcome
    /// The *why* of the documented error answer; nil where all went well.
    var why: String?
    var exitCode: Int64?
    var signal: Int64?
    /// All that the script wrote; nil where nobody knows.
    var outputBytes: Int64?
    var outputTruncated: Bool
    var outputSHA256: String?
    var scriptChanged: Bool?
    var lockFileSeen: Bool?
    /// The kept part.
    var output: [UInt8]

    /// The facts under the names they have in the table, the trail and the API; the output is none of them.
    var members: [JSON.Member] {
        [
            .init("finished_at", .string(Timestamp.text(finishedAt))), .init("finished_at_exact", .bool(finishedAtExact)),
            .init("duration_ms", .optional(durationMilliseconds)), .init("outcome", .string(outcome.rawValue)),
            .init("why", .optional(why)), .init("exit_code", .optional(exitCode)), .init("signal", .optional(signal)),
            .init("output_bytes", .optional(outputBytes)), .init("output_truncated", .bool(outputTruncated)),
            .init("output_sha256", .optional(outputSHA256)), .init("script_changed", .optional(scriptChanged)),
            .init("lock_file_seen", .optional(lockFileSeen)),
        ]
    }
}

extension JSON {
    static func optional(_ flag: Bool?) -> JSON { flag.map { .bool($0) } ?? .null }
}

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
    func members(_ row: Row) -> [JSON.Member] {
        columns.indices.map { JSON.Member(columns[$0], fact($0, of: row) ?? .null) }
    }

    /// A fact of a row of ``selection``; nil for a value that this program never writes there.
    func fact(_ column: Int, of row: Row) -> JSON? {
        switch row.value(column) {
        case .null: .null
        case .text(let text): .string(text)
        case .integer(let number) where !isFlag[column]: .integer(number)
        case .integer(0): .bool(false)
        case .integer(1): .bool(true)
        default: nil
        }
    }

    func insert(_ members: [JSON.Member], run: Int64, _ connection: Connection) throws(SQLiteError) {
        let names = (["id"] + members.map(\.name)).map { "\"\($0)\"" }.joined(separator: ", ")
        let marks = Array(repeating: "?", count: members.count + 1).joined(separator: ", ")
        try connection.execute(
            "INSERT INTO \(name) (\(names)) VALUES (\(marks))", [.integer(run)] + members.map { Self.value($0.value) })
    }

    private static func value(_ value: JSON) -> Value {
        switch value {
        case .integer(let number): .integer(number)
        case .bool(let flag): .integer(flag ? 1 : 0)
        case .string(let text): .text(text)
        default: .null
        }
    }
}

/// A run as it is listed: every fact, without the output itself.
struct RunRecord: Sendable {
    /// The run's members in the API's order.
    let members: [JSON.Member]

    /// Reads a row of ``RunTable/runs``.
    init(_ row: Row) { members = RunTable.runs.members(row) }

    var id: Int64 {
        if case .integer(let id) = self["id"] { id } else { 0 }
    }

    subscript(name: String) -> JSON { members.first { $0.name == name }?.value ?? .null }
}
