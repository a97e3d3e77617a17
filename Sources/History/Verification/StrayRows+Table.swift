import SQLite

extension StrayRows {
    /// The tables whose rows entries are about.
    enum Table: String, CaseIterable {
        case started = "run_started"
        case finished = "run_finished"
        case outputs = "run_output"
        case entries = "run_entry"
        case redactions = "output_redaction"

        /// The run first.
        var columns: String {
            switch self {
            case .started: "id, " + RunTable.started.selection
            case .finished: "id, " + RunTable.finished.selection
            case .outputs: "id, bytes"
            case .entries, .redactions: "run, entry"
            }
        }

        var columnCount: Int {
            switch self {
            case .started: RunTable.started.columns.count + 1
            case .finished: RunTable.finished.columns.count + 1
            case .outputs, .entries, .redactions: 2
            }
        }

        /// The rows behind one, in order.
        /// - Parameter key: nil for the first ones. No number will do: the smallest one is a key as well.
        func page(behind key: (run: Int64, entry: Int64)?, _ rows: Int64) -> (sql: String, values: [Value]) {
            let (order, condition, values): (String, String, [Value]) =
                switch self {
                case .entries: ("run, entry", "(run, entry) > (?, ?)", key.map { [.integer($0.run), .integer($0.entry)] } ?? [])
                case .redactions: ("run", "run > ?", key.map { [.integer($0.run)] } ?? [])
                case .started, .finished, .outputs: ("id", "id > ?", key.map { [.integer($0.run)] } ?? [])
                }
            let place = key == nil ? "" : "WHERE \(condition) "
            return ("SELECT \(columns) FROM \(name) \(place)ORDER BY \(order) LIMIT ?", values + [.integer(rows)])
        }

        /// For FROM. Not by an index, which may have been made to lie.
        var name: String { self == .started || self == .finished ? rawValue + " NOT INDEXED" : rawValue }
    }
}
