import AuditLog
import SQLite

/// Checks everything that can be checked from the database alone and from what the auditor brings: every entry's hash,
/// the root and its signature, the tables of runs against the entries, the outputs against their digests.
///
/// Every table is read once, from its first row to its last, in short transactions; memory does not grow with the log. The
/// tables are compared on a second thread, because that takes as long as the hashing.
struct TrailVerification: Sendable {
    struct Report: Sendable {
        /// nil where there is no checkpoint to go by, so that nothing is signed.
        let log: LogVerifier.Report?
        let size: Int64
        let tables: TableComparison.Report
        /// What is wrong with the database as a whole.
        let schema: [String]
        /// Whether rows without entries were looked for. They cannot be while the service writes all the time.
        let isComplete: Bool

        var isIntact: Bool { problemCount == 0 }
        var problems: [String] { (log.map { $0.problems.first.map(\.description) } ?? [Self.sealMissing]) + tables.problems + schema }
        var problemCount: Int { (log?.problems.count ?? 1) + tables.problemCount + schema.count }

        private static let sealMissing = "there is no newest checkpoint, or what is in its place is none: the history is signed by nobody"
    }

    /// How often it goes on to what was written meanwhile.
    private static let rounds = 10
    private static let stride: Int64 = 100_000

    let reader: HistoryReader
    var expectedKey: VerifierKey?
    var checkpoints: [SignedCheckpoint] = []
    /// Told the number of entries done and their total, after each hundred thousand.
    var progress: @Sendable (Int64, Int64) -> Void = { _, _ in }

    /// - Throws: ``HistoryError`` where it could not be checked, which says nothing about the trail.
    func run() throws -> Report {
        let (signed, entryCount) = try reader.read { connection in
            (try Self.head(connection), try connection.first("SELECT coalesce(max(entry) + 1, 0) FROM leaf") { $0.integer(0) ?? 0 } ?? 0)
        }
        guard var head = signed else {
            guard entryCount > 0 else { throw HistoryError("\(reader.path): the history has not begun, so that there is nothing to check") }
            return Report(log: nil, size: entryCount, tables: TableComparison(reader: reader).report, schema: [], isComplete: false)
        }
        var verifier = LogVerifier(expectedKey: expectedKey, checkpoints: checkpoints)
        let tables = Beside(TableComparison(reader: try HistoryReader(opening: reader.path)))
        var hashes = Self.hashes(reader)
        var next: Int64 = 0
        var isComplete = false
        for _ in 0..<Self.rounds {
            let size = head.checkpoint.size
            while let page = try entries(from: next, before: size) {
                var leaves: [(entry: Int64, leaf: Leaf)] = []
                leaves.reserveCapacity(page.count)
                for (entry, bytes) in page {
                    let stored = try Subtree.completed(by: entry).map { try hashes.row($0.position) ?? nil }
                    guard let leaf = try verifier.add(entry, bytes, stored: stored) else { continue }
                    leaves.append((entry, leaf))
                }
                try tables.begin { [leaves] in try $0.add(leaves) }
                // In a file whose pages were edited reading on may lead back; that is found already.
                guard let last = page.map(\.key).max(), last >= next else { break }
                if (last + 1) / Self.stride > next / Self.stride { progress(last + 1, size) }
                next = last + 1
            }
            isComplete = try tables.wait { try $0.finish(size: size) }
            // What was appended meanwhile is checked too, so that the count can be made.
            guard !isComplete, let newer = try reader.read({ try Trail.head($0) }), newer.checkpoint.size > size else { break }
            head = newer
        }
        return Report(
            log: try verifier.finish(head: head), size: head.checkpoint.size, tables: try tables.wait { $0.report },
            schema: try schemaProblems(), isComplete: isComplete)
    }

    /// A newest checkpoint that is none is as good as a missing one; one that cannot be read is not.
    private static func head(_ connection: Connection) throws -> SignedCheckpoint? {
        do { return try Trail.head(connection) } catch is FormatError { return nil }
    }

    /// Entries behind the head belong to later transactions: they are checked with a later head, unless none covers them.
    private func entries(from: Int64, before size: Int64) throws -> [(key: Int64, row: [UInt8])]? {
        // Not always as many: whoever squeezes a row in between two others by editing the file's pages, where only reading on
        // from its neighbour shows it, must not know where a page ends.
        let page = try reader.page(
            "SELECT entry, bytes FROM leaf WHERE entry >= ? AND entry < ? ORDER BY entry LIMIT ?", [.integer(from), .integer(size)],
            .random(in: 900...1000)
        ) { ($0.integer(0) ?? -1, $0.blob(1) ?? []) }
        return page.isEmpty ? nil : page
    }

    /// The stored hashes by position; one in it is nil where it is none.
    private static func hashes(_ reader: HistoryReader) -> RowPages<Int64, Hash?> {
        RowPages(of: 2000) { from, count in
            try reader.page(
                "SELECT position, hash FROM tree_hash WHERE position >= ? ORDER BY position LIMIT ?", [.integer(from)], count
            ) { ($0.integer(0) ?? -1, $0.blob(1) { Hash($0) } ?? nil) }
        }
    }

    private func schemaProblems() throws -> [String] {
        let isOurs = try reader.read { try Self.schema($0) } == Self.schema(HistorySchema.fresh())
        return isOurs ? [] : ["the database's schema is not the one this program made: a table, trigger or view was changed, added or removed"]
    }

    /// The text of every table, trigger, index and view.
    static func schema(_ connection: Connection) throws -> [String] {
        try connection.query("SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1") { $0.text(0) ?? "" }
    }
}
