import AuditLog
import JSON
import OpenSSL
import SQLite

/// Compares the tables of runs and the outputs with the entries about them, entry after entry, in memory that grows only
/// with the runs that are under way.
struct TableComparison {
    /// What it found.
    struct Report: Sendable {
        private(set) var problems: [String] = []
        private(set) var problemCount = 0
        private(set) var redactions: [String] = []
        private(set) var redactionCount: Int64 = 0
        fileprivate(set) var runs: Int64 = 0
        fileprivate(set) var notIsolated: Int64 = 0

        // The first ones tell where to look; a million more would only fill memory.
        private static let limit = 100

        fileprivate mutating func add(_ problem: String) {
            problemCount += 1
            if problems.count < Self.limit { problems.append(problem) }
        }

        fileprivate mutating func tell(redaction: String) {
            redactionCount += 1
            if redactions.count < Self.limit { redactions.append(redaction) }
        }
    }

    private struct RunEntry: Comparable, Sendable {
        let run: Int64
        let entry: Int64

        static func < (left: RunEntry, right: RunEntry) -> Bool { (left.run, left.entry) < (right.run, right.entry) }
    }

    private(set) var report = Report()
    private let reader: HistoryReader
    private var started: RowPages<Int64, RowFacts>
    private var finished: RowPages<Int64, RowFacts>
    private var outputs: RowPages<Int64, SIMD32<UInt8>?>
    private var listed: RowPages<RunEntry, Void>
    private var open: Set<Int64> = []
    private var lastRun: Int64 = 0
    private var finishedRuns: Int64 = 0
    private var runEntries: Int64 = 0
    private var presentOutputs: Int64 = 0
    private var userSum: UInt64 = 0

    init(reader: HistoryReader) {
        self.reader = reader
        started = Self.pages(of: .started, reader)
        finished = Self.pages(of: .finished, reader)
        // An output may be a megabyte: it is digested where SQLite has it, and no more are read at once than take a moment.
        outputs = RowPages(of: 128) { from, count in
            try reader.page(
                "SELECT id, bytes FROM run_output WHERE id >= ? ORDER BY id LIMIT ?", [.integer(from)], count
            ) { ($0.integer(0) ?? 0, $0.blob(1) { SHA256.hash($0) }) }
        }
        listed = RowPages(of: 1000) { from, count in
            try reader.page(
                "SELECT run, entry FROM run_entry WHERE (run, entry) >= (?, ?) ORDER BY run, entry LIMIT ?",
                [.integer(from.run), .integer(from.entry)], count
            ) { (RunEntry(run: $0.integer(0) ?? 0, entry: $0.integer(1) ?? 0), ()) }
        }
    }

    private static func pages(of table: RunTable, _ reader: HistoryReader) -> RowPages<Int64, RowFacts> {
        let sql = "SELECT \(table.selection), id FROM \(table.name) WHERE id >= ? ORDER BY id LIMIT ?"
        let id = table.columns.count
        return RowPages(of: 500) { from, count in
            try reader.page(sql, [.integer(from)], count) { ($0.integer(id) ?? 0, RowFacts($0, of: table)) }
        }
    }

    /// Takes the next entries.
    mutating func add(_ entries: [(entry: Int64, leaf: Leaf)]) throws {
        for (entry, leaf) in entries { try add(entry, leaf) }
    }

    private mutating func add(_ entry: Int64, _ leaf: Leaf) throws {
        guard let run = leaf.integer("run"), let event = Event(rawValue: leaf.event) else { return }
        runEntries += 1
        if try listed.row(RunEntry(run: run, entry: entry)) == nil { report.add("entry \(entry) is not listed as one of run \(run)") }
        switch event {
        case .runStarted, .runImported:
            report.runs += 1
            if let isolated = leaf.written("isolated"), isolated.elementsEqual("false".utf8) { report.notIsolated += 1 }
            if run != lastRun + 1 { report.add("entry \(entry) starts run \(run), and the one before was run \(lastRun)") }
            lastRun = run
            open.insert(run)
            compare(try started.row(run), .started, run, entry, leaf)
            if event == .runImported, leaf.written("outcome") != nil { try finish(run, entry, leaf) }
        case .runFinished: try finish(run, entry, leaf)
        case .outputRedacted: try redact(run, entry)
        default: break
        }
    }

    private mutating func finish(_ run: Int64, _ entry: Int64, _ leaf: Leaf) throws {
        if open.remove(run) == nil { report.add("entry \(entry) ends run \(run), which was not running") }
        finishedRuns += 1
        compare(try finished.row(run), .finished, run, entry, leaf)
        guard let expected = leaf.written("stored_output_sha256") else { return }
        guard let digest = try outputs.row(run) else {
            guard try isRedacted(run) else { return report.add("the output of run \(run), recorded in entry \(entry), is missing") }
            return
        }
        presentOutputs += 1
        // nil where it is no bytes at all.
        if let digest, Self.isHex(expected, of: digest) { return }
        let hex = digest.map { digest in Machine.hex(digest.indices.lazy.map { digest[$0] }) } ?? "none"
        report.add("the output of run \(run) is not the one recorded in entry \(entry) (its SHA-256: \(hex))")
    }

    /// Whether an entry's value is the string of these hexadecimal digits.
    private static func isHex(_ written: ArraySlice<UInt8>, of digest: SIMD32<UInt8>) -> Bool {
        guard written.count == 2 * digest.scalarCount + 2, written.first == UInt8(ascii: "\""), written.last == UInt8(ascii: "\"") else {
            return false
        }
        var place = written.startIndex + 1
        for index in digest.indices {
            guard written[place] == Machine.hexDigits[Int(digest[index] >> 4)], written[place + 1] == Machine.hexDigits[Int(digest[index] & 15)]
            else { return false }
            place += 2
        }
        return true
    }

    /// Whether the entry that the table of redactions names redacts the output of this run. Its bytes are proven when its
    /// turn comes.
    private func isRedacted(_ run: Int64) throws -> Bool {
        let bytes = try reader.read { connection in
            try connection.first("SELECT bytes FROM output_redaction JOIN leaf USING (entry) WHERE run = ?", [.integer(run)]) { $0.blob(0) }
        }
        guard let bytes, let leaf = bytes.flatMap({ try? Leaf(stored: $0) }) else { return false }
        return leaf.event == Event.outputRedacted.rawValue && leaf.integer("run") == run
    }

    private mutating func redact(_ run: Int64, _ entry: Int64) throws {
        report.tell(redaction: "the output of run \(run) was redacted under entry \(entry)")
        let (named, isThere) = try reader.read { connection in
            let named = try connection.first("SELECT entry FROM output_redaction WHERE run = ?", [.integer(run)]) { $0.integer(0) }
            return (named ?? nil, try connection.first("SELECT 1 FROM run_output WHERE id = ?", [.integer(run)]) { _ in true })
        }
        if named != entry { report.add("output_redaction does not name entry \(entry) for run \(run)") }
        if isThere != nil { report.add("the output of run \(run), redacted under entry \(entry), is there again") }
    }

    /// Every fact of the row against the entry, which holds long texts cut.
    private mutating func compare(_ row: RowFacts?, _ table: RunTable, _ run: Int64, _ entry: Int64, _ leaf: Leaf) {
        guard let row else { return report.add("run \(run) of entry \(entry) is missing in \(table.name)") }
        if table.name == RunTable.started.name { userSum &+= Self.summand(row.user, run) }
        row.forEach { column, fact in
            let name = table.columns[column]
            if leaf.holds(name, fact) { return }
            // The digest tells this wrong value from the next, for whoever accepted this one.
            let digest = fact.isEmpty ? "none" : Machine.hex(Hash.leaf(fact.withUnsafeBufferPointer { Array($0) }).bytes.prefix(8))
            report.add("run \(run): \(name) in \(table.name) is not what entry \(entry) says (its digest: \(digest))")
        }
    }

    // MARK: Rows that no entry is about

    /// Looks for them. While the service writes, rows of later entries may be there already, so only a log at rest can be
    /// counted: one that still has `size` entries.
    ///
    /// - Returns: false where it was not at rest; then nothing was found or missed yet.
    mutating func finish(size: Int64) throws -> Bool {
        let lastPosition = Subtree.completed(by: size - 1).last?.position ?? -1
        guard let entries = try number("SELECT coalesce(max(entry) + 1, 0) FROM leaf", ifStill: size),
            // Not by the index, which may have been made to lie.
            let startedRows = try number("SELECT count(*) FROM run_started NOT INDEXED", ifStill: size),
            let finishedRows = try number("SELECT count(*) FROM run_finished", ifStill: size),
            let entryRows = try number("SELECT count(*) FROM run_entry", ifStill: size),
            let redactionRows = try number("SELECT count(*) FROM output_redaction", ifStill: size),
            let outputRows = try number("SELECT count(*) FROM run_output", ifStill: size),
            let hashes = try number("SELECT max(position) FROM tree_hash", ifStill: size),
            let strangers = try read(ifStill: size, { [lastRun] connection in
                try connection.query("SELECT id FROM run_started WHERE id > ? ORDER BY id LIMIT 10", [.integer(lastRun)]) { $0.integer(0) ?? 0 }
            }),
            let indexed = try indexSum(ifStill: size)
        else { return false }
        if entries > size { report.add("entries \(size) to \(entries - 1) are signed by nobody") }
        if hashes > lastPosition { report.add("hashes are stored over entries that are not there: nothing can be appended") }
        for run in strangers { report.add("run \(run) has no entry: it was put in past the service") }
        if entryRows != runEntries { report.add("run_entry has \(entryRows) rows, the trail \(runEntries) entries about runs") }
        if redactionRows != report.redactionCount {
            report.add("output_redaction has \(redactionRows) rows, the trail \(report.redactionCount) redactions")
        }
        if outputRows != presentOutputs { report.add("run_output has \(outputRows) rows, the trail knows \(presentOutputs)") }
        if startedRows != report.runs { report.add("run_started has \(startedRows) rows, the trail started \(report.runs) runs") }
        if finishedRows != finishedRuns { report.add("run_finished has \(finishedRows) rows, the trail ended \(finishedRuns) runs") }
        if indexed != userSum { report.add("the index of runs by user is not that of the runs: a search for a user may hide some") }
        return true
    }

    private func number(_ sql: String, ifStill size: Int64) throws -> Int64? {
        try read(ifStill: size) { try $0.first(sql) { $0.integer(0) ?? 0 } ?? 0 }
    }

    private func read<Result: Sendable>(ifStill size: Int64, _ body: (Connection) throws -> Result) throws -> Result? {
        try reader.read { connection in
            try Trail.head(connection)?.checkpoint.size == size ? try body(connection) : nil
        }
    }

    /// What tells whether two lists hold the same runs of the same users, in whatever order: a sum of hashes whose key is
    /// this process's own, so that nobody can make others add up to it.
    private static func summand(_ user: ArraySlice<UInt8>, _ run: Int64) -> UInt64 {
        var hasher = Hasher()
        for byte in user { hasher.combine(byte) }
        hasher.combine(run)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    private func indexSum(ifStill size: Int64) throws -> UInt64? {
        var sum: UInt64 = 0
        var written: [UInt8] = []
        var (user, run, rows) = ("", Int64(0), Int64(0))
        // An index made by hand may lead in circles.
        while rows <= report.runs {
            let page = try read(ifStill: size) { [user, run] connection in
                var page: [(user: String, run: Int64)] = []
                // As one comparison of pairs SQLite would look up the user alone, and go over all of its runs for each page.
                try connection.forEach(
                    """
                    SELECT user, id FROM run_started INDEXED BY run_started_by_user WHERE user = ?1 AND id > ?2
                    UNION ALL SELECT user, id FROM run_started INDEXED BY run_started_by_user WHERE user > ?1
                    ORDER BY user, id LIMIT 1000
                    """, [.text(user), .integer(run)]) { page.append(($0.text(0) ?? "", $0.integer(1) ?? 0)) }
                return page
            }
            guard let page else { return nil }
            guard let last = page.last else { return sum }
            for (user, run) in page {
                written.removeAll(keepingCapacity: true)
                JSON.string(user).append(to: &written)
                sum &+= Self.summand(written[...], run)
            }
            (user, run) = last
            rows += Int64(page.count)
        }
        return sum
    }
}
