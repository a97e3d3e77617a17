import SQLite

/// Has SQLite check the file itself: that every page of a table or index can be reached in the order of its keys, that
/// each index has exactly the rows of its table, and that each value is of a type the schema allows. Without this check, two readers
/// could take two ways through the pages and find different rows. CHECK constraints are not checked, because SQLite leaves them out
/// of the schema on a connection that only reads. The comparison with the entries finds such values.
///
/// PRAGMA integrity_check takes about half a second for a million rows, and no writer can commit meanwhile. So it is asked
/// for each table by itself, and given up and begun again when a writer comes (``HistoryReader/readYielding(_:)``). A copy
/// of the file would need as much room again, take longer to write than this takes to read, and have to be begun again at
/// each commit of another process as well.
struct StructureCheck: Sendable {
    private(set) var damage = DamageList()
    /// Why the check ended early; nil if it came to its end.
    private(set) var failure: HistoryError?

    /// SQLite gives at most so many messages about one table.
    private static let messageLimit = 100

    /// Blocks for as long as it takes.
    /// - Parameter reader: one that no other thread uses.
    mutating func check(_ reader: HistoryReader) {
        do { for table in try Self.tables(reader) { try check(table, reader) } } catch { failure = HistoryError(reader.path, error) }
    }

    private mutating func check(_ table: String, _ reader: HistoryReader) throws(HistoryError) {
        do {
            // The check of sqlite_schema includes the list of free pages.
            let messages = try reader.readYielding { try $0.query("PRAGMA integrity_check(\(table))") { $0.text(0) ?? "" } }
            if messages.count >= Self.messageLimit {
                // Problems that SQLite does not list now could pass as accepted later.
                damage.add(Damage(unacceptable: "the file itself, table \(table): there are more problems than SQLite lists"))
            }
            for message in messages where message != "ok" { damage.add(Self.damage(table, message)) }
        } catch {
            guard error.isDamage else { throw error }
            damage.add(Damage(unacceptable: "\(error)"))
        }
    }

    /// Our tables that are there. A missing or foreign table is damage of the schema, which ``SchemaCheck`` finds.
    private static func tables(_ reader: HistoryReader) throws -> [String] {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table'"
        let ours = try Set(HistorySchema.fresh().query(sql) { $0.text(0) ?? "" })
        let present = try reader.read { try $0.query(sql) { $0.text(0) ?? "" } }
        return ["sqlite_schema"] + Set(present).intersection(ours).sorted()
    }

    private static func damage(_ table: String, _ message: String) -> Damage {
        let lines = message.split(separator: "\n").filter { !$0.hasPrefix("***") }.joined(separator: "; ")
        let text = "the file itself, table \(table): \(SchemaCheck.printable(lines))"
        // A value that the schema does not allow is compared with the entry by itself, where its digest is taken. Where
        // the structure is wrong, what SQLite finds depends on the way it takes.
        return isOfValue(message) ? Damage(text) : Damage(unacceptable: text)
    }

    /// Whether the message is about a value. The words are those of SQLite 3.40 and later.
    private static func isOfValue(_ message: String) -> Bool {
        ["NULL value in ", "non-", "NUMERIC value in ", "TEXT value in "].contains { message.hasPrefix($0) }
            && !message.hasPrefix("non-unique")
    }
}
