import AuditLog
import Encoding
import JSON
import OpenSSL
import SQLite

/// Compares the tables of runs and the outputs with the entries about them, entry after entry, in memory that grows only
/// with the runs that are under way.
package struct TableComparison {
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
    /// The rows that were found where an entry says they are.
    private var found: [StrayRows.Table: Int64] = [:]
    /// Whether a row may have been counted twice. Then counts prove nothing.
    private var countsLie = false

    init(reader: HistoryReader) {
        self.reader = reader
        started = Self.pages(of: .started, reader)
        finished = Self.pages(of: .finished, reader)
        // An output may be a megabyte, so it is hashed in SQLite's memory, and a page has few of them.
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
        if try listed.row(RunEntry(run: run, entry: entry)) == nil {
            report.damage.add("entry \(entry) is not listed as one of run \(run)")
        } else {
            found[.entries, default: 0] += 1
        }
        switch event {
        case .runStarted, .runImported:
            report.runs += 1
            if let isolated = leaf.written("isolated"), isolated.elementsEqual("false".utf8) { report.notIsolated += 1 }
            if run != lastRun &+ 1 {
                report.damage.add("entry \(entry) starts run \(run), and the one before was run \(lastRun)")
                countsLie = true
            }
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
        if open.remove(run) == nil {
            report.damage.add("entry \(entry) ends run \(run), which was not running")
            countsLie = true
        }
        compare(try finished.row(run), .finished, run, entry, leaf)
        guard let expected = leaf.written("stored_output_sha256") else { return }
        guard let digest = try outputs.row(run) else {
            guard try isRedacted(run) else { return report.damage.add("the output of run \(run), recorded in entry \(entry), is missing") }
            return
        }
        self.found[.outputs, default: 0] += 1
        // The digest is nil where the column has no bytes.
        if let digest, Self.isHex(expected, of: digest) { return }
        let hex = digest.map { digest in Hex.text(digest.indices.lazy.map { digest[$0] }) } ?? "none"
        report.damage.add("the output of run \(run) is not the one recorded in entry \(entry) (its SHA-256: \(hex))", found: try outputHash(run))
    }

    private func outputHash(_ run: Int64) throws -> Hash? {
        try reader.read { connection in
            try connection.first("SELECT bytes FROM run_output WHERE id = ?", [.integer(run)]) { $0.hash(columns: 1) }
        }
    }

    /// Whether an entry's value is the string of these hexadecimal digits.
    private static func isHex(_ written: ArraySlice<UInt8>, of digest: SIMD32<UInt8>) -> Bool {
        guard written.count == 2 * digest.scalarCount + 2, written.first == UInt8(ascii: "\""), written.last == UInt8(ascii: "\"") else {
            return false
        }
        var place = written.startIndex + 1
        for index in digest.indices {
            guard written[place] == Hex.digits[Int(digest[index] >> 4)], written[place + 1] == Hex.digits[Int(digest[index] & 15)]
            else { return false }
            place += 2
        }
        return true
    }

    /// Whether the entry that the table of redactions names redacts the output of this run. The verifier proves that entry when it
    /// comes to it.
    private func isRedacted(_ run: Int64) throws -> Bool {
        let bytes = try reader.read { connection in
            try connection.first("SELECT bytes FROM output_redaction JOIN leaf USING (entry) WHERE run = ?", [.integer(run)]) { $0.blob(0) }
        }
        guard let bytes, let leaf = bytes.flatMap({ try? Leaf(stored: $0) }) else { return false }
        return leaf.event == Event.outputRedacted.rawValue && leaf.integer("run") == run
    }

    private mutating func redact(_ run: Int64, _ entry: Int64) throws {
        report.add(redaction: "the output of run \(run) was redacted under entry \(entry)")
        let named = try reader.read { connection in
            try connection.first("SELECT entry FROM output_redaction WHERE run = ?", [.integer(run)]) { $0.integer(0) } ?? nil
        }
        if named == entry {
            found[.redactions, default: 0] += 1
        } else {
            report.damage.add("output_redaction names \(named.map { "entry \($0)" } ?? "no entry") for run \(run), which entry \(entry) redacted")
        }
        if let output = try outputHash(run) {
            report.damage.add("the output of run \(run), redacted under entry \(entry), is there again", found: output)
        }
    }

    /// Compares every fact of the row with the entry, which has long texts cut.
    private mutating func compare(_ row: RowFacts?, _ table: RunTable, _ run: Int64, _ entry: Int64, _ leaf: Leaf) {
        guard let row else { return report.damage.add("run \(run) of entry \(entry) is missing in \(table.name)") }
        found[table.name == RunTable.started.name ? .started : .finished, default: 0] += 1
        row.forEach { column, fact in
            let name = table.columns[column]
            if leaf.holds(name, fact) { return }
            let bytes = fact.withUnsafeBufferPointer { Array($0) }
            // An entry from before this fact was recorded does not have the key.
            if leaf.written(name) == nil, bytes.elementsEqual("null".utf8) { return }
            report.damage.add("run \(run): \(name) in \(table.name) is not what entry \(entry) says", found: Hash.leaf(bytes))
        }
    }

    // MARK: Rows that no entry is about

    /// Looks for them. While the service writes, rows of later entries may be there already. So it counts only in a log at rest, which
    /// is one that still has `size` entries.
    ///
    /// - Returns: false where it was not at rest; then nothing was found or missed yet.
    mutating func finish(size: Int64) throws -> Bool {
        let strays = StrayRows(reader: reader, size: size)
        var list = DamageList()
        for table in StrayRows.Table.allCases {
            guard let count = try strays.count(table) else { return false }
            let known = found[table, default: 0]
            guard countsLie || count != known else { continue }
            // The counts differ, so every row is looked at.
            var strayCount: Int64 = 0
            let isAtRest = try strays.forEach(table) {
                strayCount += 1
                list.add($0)
            }
            guard isAtRest else { return false }
            if !countsLie, count > known + strayCount {
                list.add(Damage(unacceptable: "\(table.rawValue) has \(count) rows, but only \(known + strayCount) can be found"))
            }
        }
        guard try strays.beyondTheLog({ list.add($0) }) else { return false }
        report.damage = report.damage + list
        return true
    }
}
