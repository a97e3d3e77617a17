import AuditLog
import Migrations
import SQLite

/// The indexes behind the filters of the history (ARCHITECTURE.md, "How a page is found").
///
/// An index of a rowid table ends with the rowid, so each of these also gives its rows in the order of a page.
enum HistoryIndexes {
    static let migration = Migration(
        number: 4, name: "indexes",
        sql: """
            CREATE INDEX run_started_by_trigger ON run_started ("trigger");
            CREATE INDEX run_finished_by_outcome ON run_finished (outcome);
            CREATE INDEX leaf_by_event ON leaf (\(event)) WHERE \(isRare);
            """)

    /// The kind of an entry as SQL, a blob. Only the key `event` is followed by `:"` right behind its quotes, because quotes
    /// within a string are escaped, and no key before it holds an object. The result of a spoiled entry is some bytes, never
    /// an error; SQLite's JSON functions would fail for it. Changing the text makes SQLite ignore the index.
    private static let event = "substr(bytes, \(start), instr(substr(bytes, \(start), 24), X'22') - 1)"
    /// `X'226576656E74223A22'` is `"event":"`.
    private static let start = "instr(bytes, X'226576656E74223A22') + 9"

    /// Starts and ends of runs and reads of the history are most entries of a log, and a page finds enough of them without an
    /// index. So these pay nothing for it, and its comparison with the table is a small part of a verification. The values are
    /// `run_started"`, `run_finished` and `history_read`. No other kind begins like one of them.
    private static let isRare =
        "\(beginning) NOT IN (X'72756E5F7374617274656422', X'72756E5F66696E6973686564', X'686973746F72795F72656164')"
    private static let beginning = "substr(bytes, \(start), 12)"

    /// Whether the index has the entries of a kind.
    static func has(_ event: Event) -> Bool { ![.runStarted, .runFinished, .historyRead].contains(event) }

    /// A condition on `leaf`. SQLite uses the index where it has the kind.
    static func isOf(_ event: Event) -> (sql: String, value: Value) {
        let word = Array(event.rawValue.utf8)
        return has(event) ? ("\(Self.event) = ? AND \(isRare)", .blob(word)) : ("\(beginning) = ?", .blob(Array((word + [0x22]).prefix(12))))
    }
}
