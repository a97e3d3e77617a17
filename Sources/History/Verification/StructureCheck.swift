import SQLite

/// Has SQLite check the file itself: that every page of a table or index can be reached in the order of its keys, that
/// each index has exactly the rows of its table, and that each value is of a type the schema allows. What reads rows finds only
/// what its own way through the pages leads to; another way may lead to others. It does not check CHECK constraints: on a
/// connection that only reads, SQLite leaves them out of the schema. The comparison with the entries finds such values.
///
/// PRAGMA integrity_check takes about half a second for a million rows, and no writer can commit meanwhile. So it is asked
/// for each table by itself, and given up and begun again when a writer comes (``HistoryReader/readYielding(_:)``). A copy
/// of the file would need as much room again, take longer to write than this takes to read, and have to be begun again at
/// each commit of another process as well.
enum StructureCheck {
    /// As many messages SQLite gives about one table. It looks for no more.
    private static let messageLimit = 100

    /// Blocks for as long as it takes.
    /// - Parameters:
    ///   - reader: not in anybody else's use.
    ///   - list: takes what is found, also where an error follows.
    static func check(_ reader: HistoryReader, _ list: inout DamageList) throws {
        for table in try tables(reader) {
            do throws(HistoryError) {
                // With the schema goes the list of free pages.
                let messages = try reader.readYielding { try $0.query("PRAGMA integrity_check(\(table))") { $0.text(0) ?? "" } }
                if messages.count >= messageLimit {
                    // What is not told may come later, behind as much that was accepted.
                    list.add(Damage(unacceptable: "the file itself, table \(table): there are more problems than SQLite lists"))
                }
                for message in messages where message != "ok" { list.add(damage(table, message)) }
            } catch {
                guard error.isDamage else { throw error }
                list.add(Damage(unacceptable: "\(error)"))
            }
        }
    }

    /// A table that is missing, or that is not ours, is the schema's damage.
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

    /// In the words of SQLite 3.40 and later.
    private static func isOfValue(_ message: String) -> Bool {
        ["NULL value in ", "non-", "NUMERIC value in ", "TEXT value in "].contains { message.hasPrefix($0) }
            && !message.hasPrefix("non-unique")
    }
}
