import ArgumentParser
import Glibc
import History
import JSON
import Linux
import RunProtocol

struct HistoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Show recorded runs.", subcommands: [List.self, Show.self, Redact.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "The newest runs.")

        @OptionGroup var common: CommonOptions
        @Flag(help: "One JSON object a line.") var json = false
        @Option(help: "How many at the most, 1 to 200.") var limit = 20

        func validate() throws {
            guard RunFilter.limits.contains(limit) else { throw ValidationError("--limit takes a number from 1 to 200") }
        }

        func run() throws {
            let history = try HistoryCommand.open(common)
            let runs = try history.runs(RunFilter(limit: limit)).runs
            if json { return runs.forEach { print(String(decoding: JSONValue.object($0.members).encoded(), as: UTF8.self)) } }
            guard !runs.isEmpty else { return print("No runs yet. Start one with POST /sync/run or sync-service run.") }
            let header = ["RUN", "STARTED", "TOOK", "OUTCOME", "CODE", "USER", "BY"]
            let rows = runs.map { run in
                [
                    HistoryCommand.text(run["id"]), HistoryCommand.text(run["started_at"]), HistoryCommand.duration(run["duration_ms"]),
                    HistoryCommand.text(run["outcome"]), HistoryCommand.text(run["exit_code"]), HistoryCommand.text(run["user"]),
                    HistoryCommand.text(run["trigger"]),
                ]
            }
            let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
            for row in [header] + rows {
                print(zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ").trimmed())
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One run with its output.")

        @OptionGroup var common: CommonOptions
        @Flag(help: "As one JSON object.") var json = false
        @Argument(help: "The run's number.") var id: Int64

        func run() throws {
            let history = try HistoryCommand.open(common)
            guard let run = try history.run(id) else { throw CommandError("there is no run \(id); sync-service history lists them") }
            let output = try history.output(of: id, offset: 0, count: RunRequest.maximumOutput)
            if json {
                let members = run.members + [.init("output", .string(String(decoding: output, as: UTF8.self)))]
                return print(String(decoding: JSONValue.object(members).encoded(), as: UTF8.self))
            }
            var lines = run.members.filter { $0.value != .null }.map { "\($0.name): \(HistoryCommand.text($0.value))" }
            if let why = try history.why(id) { lines.append("why: \(why)") }
            lines += ["output:", ""]
            try Descriptor.standardOutput.write(Array(lines.joined(separator: "\n").utf8) + HistoryCommand.printable(output))
        }
    }

    struct Redact: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete the stored output of a run, such as a password it printed.",
            discussion: "Digest, length and a record of this stay, and audit verify tells of it ever after.")

        @OptionGroup var common: CommonOptions
        @Argument(help: "The run's number.") var id: Int64
        @Option(help: "Why, for the record.") var reason: String

        func run() throws {
            let settings = try common.settings()
            try Caller.becomeOwner(of: settings.stateDirectory)
            let history = try settings.openHistory()
            guard try history.reader.storedOutputBytes(of: id) != nil else { throw CommandError("run \(id) has no stored output") }
            try history.redactOutput(of: id, by: Caller.principal(), reason: reason)
            print("The output of run \(id) is deleted; its digest stays. Backups still hold it.")
        }
    }

    private static func open(_ common: CommonOptions) throws -> HistoryReader {
        let settings = try common.settings()
        try Caller.becomeOwner(of: settings.stateDirectory)
        guard (try? Files.facts(settings.historyPath, followLink: false)) != nil else {
            throw CommandError("there is no history at \(settings.historyPath); check SYNC_STATE_DIR, or start the service once")
        }
        return try HistoryReader(opening: settings.historyPath)
    }

    fileprivate static func text(_ value: JSONValue) -> String {
        switch value {
        case .null: "-"
        case .bool(let flag): flag ? "yes" : "no"
        case .integer(let number): String(number)
        // A user name comes from a token: nothing in it may move the cursor or colour the terminal.
        case .string(let text): String(decoding: printable(Array(text.utf8)).filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        default: "?"
        }
    }

    fileprivate static func duration(_ value: JSONValue) -> String {
        guard case .integer(let milliseconds) = value else { return "-" }
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        let seconds = milliseconds / 1000
        return seconds < 60 ? "\(seconds) s" : seconds < 3600 ? "\(seconds / 60) m \(seconds % 60) s" : "\(seconds / 3600) h \(seconds / 60 % 60) m"
    }

    /// Without control characters, unless the output goes to a file or a pipe, which gets every byte.
    fileprivate static func printable(_ bytes: [UInt8]) -> [UInt8] {
        guard isatty(STDOUT_FILENO) == 1 else { return bytes }
        let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars.map { scalar -> Unicode.Scalar in
            let harmless = scalar == "\n" || scalar == "\t" || scalar.properties.generalCategory != .control
            return harmless ? scalar : "\u{FFFD}"
        }
        return Array(String(String.UnicodeScalarView(scalars)).utf8)
    }
}
