import AuditLog
import SQLite

/// Checks everything that can be checked from the database alone and from what the auditor brings: the file's structure and
/// schema, every entry's hash, the root and its signature, the tables of runs against the entries, the outputs against their
/// digests.
///
/// Every table is read once, from its first row to its last, in short transactions; memory does not grow with the log. The
/// tables are compared on a second thread, because that takes as long as the hashing. On a third one SQLite checks the
/// structure, so that every way to a row leads to the rows that are read here.
package struct HistoryVerification: Sendable {
    /// How often it goes on to entries that were written meanwhile.
    private static let rounds = 10
    private static let stride: Int64 = 100_000

    package let reader: HistoryReader
    package var expectedKey: VerifierKey?
    /// The key that signs here, where it is known: acceptances must be under its signature.
    package var ownKey: VerifierKey?
    package var checkpoints: [SignedCheckpoint] = []
    /// Called with the number of entries done and their total, after each hundred thousand.
    package var progress: @Sendable (Int64, Int64) -> Void = { _, _ in }

    package init(
        reader: HistoryReader, expectedKey: VerifierKey? = nil, ownKey: VerifierKey? = nil,
        checkpoints: [SignedCheckpoint] = [], progress: @escaping @Sendable (Int64, Int64) -> Void = { _, _ in }
    ) {
        self.reader = reader
        self.expectedKey = expectedKey
        self.ownKey = ownKey
        self.checkpoints = checkpoints
        self.progress = progress
    }

    /// - Throws: ``HistoryError`` where it could not be checked, which says nothing about the audit log. Where damage was found already
    ///   it throws only what passes, like a lock.
    package func run() throws -> Report {
        var file = DamageList()
        var report: Report
        do {
            try SchemaCheck.requireKnown(reader)
            let structure = BackgroundStage(StructureCheck())
            let own = try HistoryReader(opening: reader.path)
            try structure.begin { $0.check(own) }
            let schema = Result { try reader.read { try SchemaCheck.damage($0) } }
            let rows = Result { try compare() }
            let check = try structure.wait { $0 }
            file = check.damage
            if let failure = check.failure { throw failure }
            file = file + (try schema.get())
            report = try rows.get()
        } catch let error as HistoryError where error.isDamage || (file.count > 0 && !error.isBusy) {
            // SQLite could not read on, or a table is not there.
            report = self.report(nil, 0, TableComparison(reader: reader).report, isComplete: false, [Damage(unacceptable: "\(error)")])
        }
        report.damage = report.damage + file
        if !report.isIntact, let key = report.log?.key ?? ownKey {
            // Where the log cannot be read, nothing is accepted.
            do { report.acceptance = try reader.read { try Acceptance($0, key: key) } } catch { if error.isBusy { throw error } }
        }
        return report
    }

    /// Compares rows and entries. Damage to the file itself is not among what it finds.
    private func compare() throws -> Report {
        var (head, size) = try reader.read { connection in
            let head = try StoredLog.head(connection)
            return (head, try head?.checkpoint.size ?? StoredLog.entryCount(connection))
        }
        var seal: [Damage] = []
        // Without a newest checkpoint the entries are compared with all that is left to go by.
        var known = checkpoints
        if head == nil {
            guard size > 0 else { throw HistoryError("\(reader.path): the history has not begun, so that there is nothing to check") }
            seal.append(Damage("there is no newest checkpoint, or what is in its place is none: the history is signed by nobody"))
            known += try newestReadable()
        }
        var verifier = LogVerifier(expectedKey: expectedKey, checkpoints: known)
        let tables = BackgroundStage(TableComparison(reader: try HistoryReader(opening: reader.path)))
        var hashes = Self.hashes(reader)
        var stored = StoredCheckpoints(reader: reader)
        var isComplete = false
        for _ in 0..<Self.rounds {
            while let page = try entries(from: verifier.count, before: size) {
                let next = verifier.count
                var leaves: [(entry: Int64, leaf: Leaf)] = []
                leaves.reserveCapacity(page.count)
                for (entry, bytes) in page {
                    try verifier.skip(to: entry) { missing in try Self.completed(by: missing, &hashes) }
                    let leaf = try verifier.add(entry, bytes, stored: Self.completed(by: entry, &hashes))
                    while let checkpoint = try stored.next(upTo: verifier.count) {
                        verifier.compareStored(checkpoint.note, filedUnder: checkpoint.size)
                    }
                    if let leaf { leaves.append((entry, leaf)) }
                }
                try tables.begin { [leaves] in try $0.add(leaves) }
                // In a file whose pages were edited, reading on may lead back; that is found already.
                guard verifier.count > next else { break }
                if verifier.count / Self.stride > next / Self.stride { progress(verifier.count, size) }
            }
            isComplete = try tables.wait { try $0.finish(size: size) }
            // What was appended meanwhile is checked too, so that the count can be made.
            guard !isComplete, head != nil, let newer = try reader.read({ try StoredLog.head($0) }), newer.checkpoint.size > size else { break }
            (head, size) = (newer, newer.checkpoint.size)
        }
        return report(try verifier.finish(head: head), size, try tables.wait { $0.report }, isComplete: isComplete, seal)
    }

    /// The newest checkpoint that can be read, where the newest of all cannot.
    private func newestReadable() throws -> [SignedCheckpoint] {
        let notes = try reader.read { connection in
            try connection.query("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 100") { $0.blob(0) ?? [] }
        }
        return notes.lazy.compactMap { try? SignedCheckpoint(parsing: $0) }.first.map { [$0] } ?? []
    }

    private func report(
        _ log: LogVerifier.Report?, _ size: Int64, _ tables: TableComparison.Report, isComplete: Bool, _ more: [Damage]
    ) -> Report {
        var damage = DamageList(more)
        if let problems = log?.problems {
            damage = damage + DamageList(zip(problems.first, problems.hashes).map(Self.damage), count: problems.count)
        }
        return Report(log: log, size: size, tables: tables, isComplete: isComplete, damage: damage + tables.damage)
    }

    private static func damage(_ problem: Problem, of hash: Hash?) -> Damage {
        // Whatever else is wrong then cannot be seen, the next time neither.
        problem == .rootUnknown ? Damage(unacceptable: problem.description) : Damage(problem.description, found: hash)
    }

    /// Entries behind the head belong to later transactions: they are checked with a later head, unless none covers them.
    private func entries(from: Int64, before size: Int64) throws -> [(key: Int64, row: [UInt8])]? {
        // Pages differ in length, so an attacker cannot know where one ends. A row that was squeezed in between two others by editing
        // the file's pages shows only to a reader that comes from its neighbour.
        let page = try reader.page(
            "SELECT entry, bytes FROM leaf WHERE entry >= ? AND entry < ? ORDER BY entry LIMIT ?", [.integer(from), .integer(size)],
            .random(in: 900...1000)
        ) { ($0.integer(0) ?? -1, $0.bytes(1)) }
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

    private static func completed(by entry: Int64, _ hashes: inout RowPages<Int64, Hash?>) throws -> [Hash?] {
        try Subtree.completed(by: entry).map { try hashes.row($0.position) ?? nil }
    }
}
