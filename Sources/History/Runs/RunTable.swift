import JSON
import SQLite

/// A table or view of runs: its columns, and its rows as members of the same names.
struct RunTable: Sendable {
    let name: String
    let columns: [String]
    /// For each column whether its 0 and 1 mean false and true.
    private let isFlag: [Bool]

    private init(name: String, number: Bool = false, facts: [RunFact]) {
        self.name = name
        columns = (number ? ["id"] : []) + facts.map(\.name)
        isFlag = (number ? [false] : []) + facts.map { $0.kind == .flag }
    }

    /// The starts. The run's number, the key `id`, is not among the columns.
    static let started = RunTable(name: "run_started", facts: RunFact.ofStart)
    /// The ends. The run's number, the key `id`, is not among the columns.
    static let finished = RunTable(name: "run_finished", facts: RunFact.ofFinish)
    /// What the API shows of a run, in its order, the run's number first.
    static let runs = RunTable(name: "runs", number: true, facts: RunFact.all.filter(\.isShown))

    /// The columns for a SELECT, quoted because `trigger` is a keyword of SQL.
    var selection: String { columns.map { "\"\($0)\"" }.joined(separator: ", ") }

    /// - Parameter row: of ``selection``.
    /// - Returns: one member for each column. A fact that is absent is null.
    func members(_ row: Row) -> [JSONValue.Member] {
        columns.indices.map { JSONValue.Member(columns[$0], fact($0, of: row) ?? .null) }
    }

    /// - Parameters:
    ///   - column: an index of ``columns``.
    ///   - row: of ``selection``.
    /// - Returns: nil for a value that this program never writes there.
    func fact(_ column: Int, of row: Row) -> JSONValue? {
        switch row.value(column) {
        case .null: .null
        case .text(let text): .string(text)
        case .integer(let number) where !isFlag[column]: .integer(number)
        case .integer(0): .bool(false)
        case .integer(1): .bool(true)
        default: nil
        }
    }

    /// Inserts a row. Works on the two tables, not on the view.
    /// - Parameter members: the facts of ``RunStart`` or ``RunFinish``.
    func insert(_ members: [JSONValue.Member], run: Int64, _ connection: Connection) throws(SQLiteError) {
        let names = (["id"] + members.map(\.name)).map { "\"\($0)\"" }.joined(separator: ", ")
        let marks = Array(repeating: "?", count: members.count + 1).joined(separator: ", ")
        try connection.execute(
            "INSERT INTO \(name) (\(names)) VALUES (\(marks))", [.integer(run)] + members.map { Self.value($0.value) })
    }

    private static func value(_ value: JSONValue) -> Value {
        switch value {
        case .integer(let number): .integer(number)
        case .bool(let flag): .integer(flag ? 1 : 0)
        case .string(let text): .text(text)
        default: .null
        }
    }
}
