import AuditLog
import JSON
import OpenSSL
import SQLite

/// Checks everything that can be checked from the database alone and from what the auditor brings: every entry's hash,
/// the root and its signature, the tables of runs against the entries, the outputs against their digests.
struct TrailVerification: Sendable {
    struct Report: Sendable {
        /// nil where every checkpoint is gone, so that nothing is signed.
        let log: LogVerifier.Report?
        let size: Int64
        let tables: Tables

        var isIntact: Bool { log?.isIntact ?? false && tables.problemCount == 0 }
        var problems: [String] { (log.map { $0.problems.first.map(\.description) } ?? [Self.sealMissing]) + tables.problems }
        var problemCount: Int { (log?.problems.count ?? 1) + tables.problemCount }

        private static let sealMissing = "every signed checkpoint is missing: the history is signed by nobody"
    }

    /// What comparing tables and outputs with the entries gave.
    struct Tables: Sendable {
        private(set) var problems: [String] = []
        private(set) var problemCount = 0
        fileprivate(set) var redactions: [String] = []
        fileprivate(set) var runs: Int64 = 0
        fileprivate(set) var notIsolated: Int64 = 0

        fileprivate mutating func add(_ problem: String) {
            problemCount += 1
            // The first ones tell where to look; a million more would only fill memory.
            if problems.count < 100 { problems.append(problem) }
        }
    }

    /// How many entries are read in one short transaction, so that writers do not wait for a long log.
    private static let page: Int64 = 1000

    let reader: HistoryReader
    var expectedKey: VerifierKey?
    var checkpoints: [SignedCheckpoint] = []
    /// Told the number of entries done and their total, now and then.
    var progress: @Sendable (Int64, Int64) -> Void = { _, _ in }

    private struct Pending {
        var open: Set<Int64> = []
        var lastRun: Int64 = 0
        var finished: Int64 = 0
        var missingOutputs: [Int64: Int64] = [:]
        var redacted: [Int64: Int64] = [:]
        var runEntries: Int64 = 0
        var outputs: Int64 = 0
    }

    /// - Throws: ``HistoryError`` where it could not be checked, which says nothing about the trail.
    func run() throws -> Report {
        let (signed, entryCount) = try reader.read { (try Trail.head($0), try Remainder($0).entries) }
        guard let head = signed else {
            guard entryCount > 0 else { throw HistoryError("\(reader.path): the history has not begun, so that there is nothing to check") }
            return Report(log: nil, size: entryCount, tables: Tables())
        }
        var verifier = LogVerifier(expectedKey: expectedKey, checkpoints: checkpoints)
        var report = Tables()
        var pending = Pending()
        let size = head.checkpoint.size
        var next: Int64 = 0
        while true {
            // Entries behind the head that was read first belong to later transactions: they are checked next time,
            // unless no later checkpoint covers them.
            let entries = try reader.read { connection in try Self.entries(connection, from: next, before: size) }
            guard let last = entries.last else { break }
            for (entry, bytes, hashes) in entries {
                guard let leaf = try verifier.add(entry, bytes, stored: hashes) else { continue }
                try check(entry, leaf, &report, &pending)
            }
            next = last.0 + 1
            progress(next, size)
        }
        try checkRemainders(head, &report, &pending)
        return Report(log: try verifier.finish(head: head), size: size, tables: report)
    }

    private static func entries(_ connection: Connection, from: Int64, before size: Int64) throws -> [(Int64, [UInt8], [Hash?])] {
        let leaves = try connection.query(
            "SELECT entry, bytes FROM leaf WHERE entry >= ? AND entry < ? ORDER BY entry LIMIT ?",
            [.integer(from), .integer(size), .integer(page)]
        ) { ($0.integer(0) ?? -1, $0.blob(1) ?? []) }
        return leaves.map { entry, bytes in
            (entry, bytes, Subtree.completed(by: entry).map { try? Trail.hash($0, connection) })
        }
    }

    private func check(_ entry: Int64, _ leaf: Leaf, _ report: inout Tables, _ pending: inout Pending) throws {
        guard let event = Event(rawValue: leaf.event) else { return }
        let object = leaf.object
        guard case .integer(let run)? = object["run"] else { return }
        pending.runEntries += 1
        let isListed = try reader.read { connection in
            try connection.first("SELECT 1 FROM run_entry WHERE run = ? AND entry = ?", [.integer(run), .integer(entry)]) { $0.integer(0) } != nil
        }
        if !isListed { report.add("entry \(entry) is not listed as one of run \(run)") }
        switch event {
        case .runStarted, .runImported:
            report.runs += 1
            if object["isolated"] == .bool(false) { report.notIsolated += 1 }
            if run != pending.lastRun + 1 { report.add("entry \(entry) starts run \(run), and the one before was run \(pending.lastRun)") }
            pending.lastRun = run
            pending.open.insert(run)
            try compare(.started, run, entry, object, &report)
            if event == .runImported, object["outcome"] != nil { try finish(run, entry, object, &report, &pending) }
        case .runFinished: try finish(run, entry, object, &report, &pending)
        case .outputRedacted: pending.redacted[run] = entry
        default: break
        }
    }

    private func finish(_ run: Int64, _ entry: Int64, _ object: JSON, _ report: inout Tables, _ pending: inout Pending) throws {
        if pending.open.remove(run) == nil { report.add("entry \(entry) ends run \(run), which was not running") }
        pending.finished += 1
        try compare(.finished, run, entry, object, &report)
        guard case .string(let expected)? = object["stored_output_sha256"] else { return }
        let output = try reader.read { connection in
            try connection.first("SELECT bytes FROM run_output WHERE id = ?", [.integer(run)]) { $0.blob(0) ?? [] }
        }
        guard let output else {
            pending.missingOutputs[run] = entry
            return
        }
        pending.outputs += 1
        if Machine.hex(try SHA256.digest(output)) != expected { report.add("the output of run \(run) is not the one recorded in entry \(entry)") }
    }

    /// Every fact of the row against the entry, which holds long texts cut.
    private func compare(_ table: RunTable, _ run: Int64, _ entry: Int64, _ object: JSON, _ report: inout Tables) throws {
        let row = try reader.read { connection in
            try connection.first("SELECT \(table.selection) FROM \(table.name) WHERE id = ?", [.integer(run)]) { table.members($0) }
        }
        guard let row else { return report.add("run \(run) of entry \(entry) is missing in \(table.name)") }
        for member in row {
            var value = member.value
            if case .string(let text) = value { value = .string(Leaf.cut(text)) }
            if object[member.name] != value {
                report.add("run \(run): \(member.name) in \(table.name) is not what entry \(entry) says")
            }
        }
    }

    private func checkRemainders(_ head: SignedCheckpoint, _ report: inout Tables, _ pending: inout Pending) throws {
        for (run, entry) in pending.missingOutputs.sorted(by: { $0.key < $1.key }) {
            if let redaction = pending.redacted[run] {
                report.redactions.append("the output of run \(run) was redacted under entry \(redaction)")
            } else {
                report.add("the output of run \(run), recorded in entry \(entry), is missing")
            }
        }
        let rest = try reader.read { try Remainder($0) }
        // While the service writes, rows of later entries may be there already; only a log at rest can be counted.
        if rest.size == head.checkpoint.size {
            if rest.entries > head.checkpoint.size { report.add("entries \(head.checkpoint.size) to \(rest.entries - 1) are signed by nobody") }
            for run in rest.strangers { report.add("run \(run) has no entry: it was put in past the service") }
            if rest.runEntries != pending.runEntries { report.add("run_entry has \(rest.runEntries) rows, the trail \(pending.runEntries) entries about runs") }
            if rest.redactions != Int64(pending.redacted.count) { report.add("output_redaction has \(rest.redactions) rows, the trail \(pending.redacted.count) redactions") }
            if rest.outputs != pending.outputs { report.add("run_output has \(rest.outputs) rows, the trail knows \(pending.outputs)") }
            if rest.started != report.runs { report.add("run_started has \(rest.started) rows, the trail started \(report.runs) runs") }
            if rest.finished != pending.finished { report.add("run_finished has \(rest.finished) rows, the trail ended \(pending.finished) runs") }
        }
        if try rest.schema != Self.schema(HistorySchema.fresh()) { report.add("the database's schema is not the one this program made: a table, trigger or view was changed, added or removed") }
    }

    /// The text of every table, trigger, index and view.
    static func schema(_ connection: Connection) throws -> [String] {
        try connection.query("SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1") { $0.text(0) ?? "" }
    }

    /// What is read once at the end.
    private struct Remainder: Sendable {
        let size: Int64?
        let entries: Int64
        let started: Int64
        let finished: Int64
        let runEntries: Int64
        let redactions: Int64
        let outputs: Int64
        /// Runs that no entry is about, the first of them.
        let strangers: [Int64]
        let schema: [String]

        init(_ connection: Connection) throws {
            func number(_ sql: String) throws -> Int64 { try connection.first(sql) { $0.integer(0) ?? 0 } ?? 0 }
            size = try Trail.head(connection)?.checkpoint.size
            entries = try number("SELECT coalesce(max(entry) + 1, 0) FROM leaf")
            started = try number("SELECT count(*) FROM run_started")
            finished = try number("SELECT count(*) FROM run_finished")
            runEntries = try number("SELECT count(*) FROM run_entry")
            redactions = try number("SELECT count(*) FROM output_redaction")
            outputs = try number("SELECT count(*) FROM run_output")
            strangers = try connection.query(
                "SELECT id FROM run_started WHERE id NOT IN (SELECT run FROM run_entry) ORDER BY id LIMIT 10"
            ) { $0.integer(0) ?? 0 }
            schema = try TrailVerification.schema(connection)
        }
    }
}
