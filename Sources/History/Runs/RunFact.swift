import JSON
import RunProtocol

/// One fact of a run, declared once. Rows, entries of the audit log and the API take name, order and kind from ``all``.
package struct RunFact: Sendable {
    /// How a fact is stored and shown. Any fact may also be null.
    package enum Kind: Sendable {
        case text, integer
        /// 0 and 1 in the database, false and true in JSON.
        case flag
    }

    /// The table that holds the fact, and where its value comes from.
    enum Source: Sendable {
        case start(@Sendable (RunStart) -> JSONValue)
        case finish(@Sendable (RunFinish) -> JSONValue)
    }

    /// The name of the column, the entry's key and the API's key.
    package let name: String
    package let kind: Kind
    /// Whether the API shows it.
    package let isShown: Bool
    let source: Source

    private init(_ name: String, _ kind: Kind, _ source: Source, isShown: Bool = true) {
        (self.name, self.kind, self.source, self.isShown) = (name, kind, source, isShown)
    }

    /// All facts but the run's number, in the API's order. The facts of one table are in the order of their members in an
    /// entry. Names, kinds and order are part of recorded entries and of the documented API: add, never change.
    package static let all: [RunFact] = [
        RunFact("user", .text, .start { .string($0.requester.user) }),
        RunFact("user_name", .text, .start { .optional($0.requester.userName) }),
        RunFact("token_fingerprint", .text, .start { .optional($0.requester.tokenFingerprint) }),
        RunFact("trigger", .text, .start { .string($0.requester.trigger.rawValue) }),
        RunFact("reason", .text, .start { .optional($0.requester.reason) }),
        RunFact("source_ip", .text, .start { .optional($0.requester.sourceIP) }),
        RunFact("request_id", .text, .start { .string($0.requester.requestID) }),
        RunFact("started_at", .text, .start { .string(Timestamp.text($0.startedAt)) }),
        RunFact("finished_at", .text, .finish { .string(Timestamp.text($0.finishedAt)) }),
        RunFact("finished_at_exact", .flag, .finish { .bool($0.finishedAtExact) }),
        RunFact("duration_ms", .integer, .finish { .optional($0.durationMilliseconds) }),
        RunFact("outcome", .text, .finish { .string($0.outcome.rawValue) }),
        // Only `sync-service history show` shows it (docs/decisions/0031).
        RunFact("why", .text, .finish { .optional($0.why) }, isShown: false),
        RunFact("exit_code", .integer, .finish { .optional($0.exitCode) }),
        RunFact("signal", .integer, .finish { .optional($0.signal) }),
        RunFact("output_bytes", .integer, .finish { .optional($0.outputBytes) }),
        RunFact("output_truncated", .flag, .finish { .bool($0.outputTruncated) }),
        RunFact("output_sha256", .text, .finish { .optional($0.outputSHA256) }),
        RunFact("script_path", .text, .start { .string($0.scriptPath) }),
        RunFact("script_sha256", .text, .start { .optional($0.scriptSHA256) }),
        RunFact("script_changed", .flag, .finish { .optional($0.scriptChanged) }),
        RunFact("lock_file_seen", .flag, .finish { .optional($0.lockFileSeen) }),
        RunFact("script_uid", .integer, .start { .optional($0.scriptUID) }),
        RunFact("isolated", .flag, .start { .optional($0.isolated) }),
        RunFact("boot_id", .text, .start { .optional($0.bootID) }),
    ]

    static let ofStart = all.filter { if case .start = $0.source { true } else { false } }
    static let ofFinish = all.filter { if case .finish = $0.source { true } else { false } }
}

extension RunStart {
    /// The facts of the start, for its row and its entry in the audit log.
    package var members: [JSONValue.Member] {
        RunFact.all.compactMap { fact in if case .start(let value) = fact.source { JSONValue.Member(fact.name, value(self)) } else { nil } }
    }
}

extension RunFinish {
    /// The facts of the end, for its row and its entry in the audit log. The output is none of them.
    package var members: [JSONValue.Member] {
        RunFact.all.compactMap { fact in if case .finish(let value) = fact.source { JSONValue.Member(fact.name, value(self)) } else { nil } }
    }
}
