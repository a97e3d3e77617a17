import ArgumentParser
import History
import JSON
import Linux

struct HistoryListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the newest runs.")

    @OptionGroup var common: CommonOptions
    @Flag(help: "Print one JSON object per line.") var json = false
    @Option(help: "How many runs at most, 1 to 200.") var limit = 20

    func validate() throws {
        guard RunFilter.limits.contains(limit) else { throw ValidationError("--limit takes a number from 1 to 200") }
    }

    func run() throws {
        let runs = try common.historyReader().runs(RunFilter(limit: limit)).runs
        if json { return runs.forEach { print(String(decoding: JSONValue.object($0.members).encoded(), as: UTF8.self)) } }
        guard !runs.isEmpty else { return print("No runs yet. Start one with POST /sync/run or sync-service run.") }
        let header = ["RUN", "STARTED", "TOOK", "OUTCOME", "CODE", "USER", "BY"]
        let rows = runs.map { run in
            [
                TerminalText.of(run["id"]), TerminalText.of(run["started_at"]), TerminalText.duration(run["duration_ms"]),
                TerminalText.of(run["outcome"]), TerminalText.of(run["exit_code"]), TerminalText.of(run["user"]),
                TerminalText.of(run["trigger"]),
            ]
        }
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        for row in [header] + rows {
            print(zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ").trimmed())
        }
    }
}
