import JSON
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
}

/// A run as it is listed: every fact, without the output itself.
struct RunRecord: Sendable {
    static let columns = """
        id, user, user_name, token_fingerprint, "trigger", reason, source_ip, request_id, started_at, finished_at, \
        finished_at_exact, duration_ms, outcome, exit_code, signal, output_bytes, output_truncated, output_sha256, \
        script_path, script_sha256, script_changed, lock_file_seen, script_uid, isolated, boot_id
        """
    private static let names = [
        "id", "user", "user_name", "token_fingerprint", "trigger", "reason", "source_ip", "request_id", "started_at",
        "finished_at", "finished_at_exact", "duration_ms", "outcome", "exit_code", "signal", "output_bytes",
        "output_truncated", "output_sha256", "script_path", "script_sha256", "script_changed", "lock_file_seen",
        "script_uid", "isolated", "boot_id",
    ]
    private static let flags: Set = ["finished_at_exact", "output_truncated", "script_changed", "lock_file_seen", "isolated"]

    let id: Int64
    /// The run's members in the API's order; facts that are absent are null.
    let members: [JSON.Member]

    /// Reads a row of ``columns``.
    init(_ row: Row) {
        id = row.integer(0) ?? 0
        members = Self.names.enumerated().map { index, name in
            let value: JSON
            if let number = row.integer(index) {
                value = Self.flags.contains(name) ? .bool(number != 0) : .integer(number)
            } else {
                value = .optional(row.text(index))
            }
            return JSON.Member(name, value)
        }
    }

    subscript(name: String) -> JSON { members.first { $0.name == name }?.value ?? .null }
}
