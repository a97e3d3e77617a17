import ArgumentParser
import History
import JSON
import Linux
import RunProtocol

struct HistoryShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Show one run with its output.")

    @OptionGroup var common: CommonOptions
    @Flag(help: "Print one JSON object.") var json = false
    @Argument(help: "The run's number.") var id: Int64

    func run() throws {
        let history = try common.historyReader()
        guard let run = try history.run(id) else { throw CommandError("there is no run \(id); sync-service history lists them") }
        let output = try history.output(of: id, offset: 0, count: RunRequest.maximumOutput)
        if json {
            let members = run.members + [.init("output", .string(String(decoding: output, as: UTF8.self)))]
            return print(String(decoding: JSONValue.object(members).encoded(), as: UTF8.self))
        }
        var lines = run.members.filter { $0.value != .null }.map { "\($0.name): \(TerminalText.of($0.value))" }
        if let why = try history.why(id) { lines.append("why: \(why)") }
        lines += ["output:", ""]
        try Descriptor.standardOutput.write(Array(lines.joined(separator: "\n").utf8) + TerminalText.printable(output))
    }
}
