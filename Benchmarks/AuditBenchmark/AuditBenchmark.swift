import AuditLog
import Foundation
import History
import RunProtocol

/// Measures the history on a real disk, with the service's own code:
///
/// * `AuditBenchmark append FOLDER ENTRIES` makes histories of 1,000, 10,000 and ENTRIES entries in FOLDER, each in a folder
///   named after its size, and prints what an append to the smallest and to the largest costs. `scripts/bench-audit.sh` calls
///   it, and then measures `sync-service audit verify` on the histories.
/// * `AuditBenchmark fill FOLDER [RUNS]` makes a history of ten years in FOLDER: RUNS runs, or 1,000, and five times as many
///   entries. `sync-service` can work with it.
/// * `AuditBenchmark queries FOLDER...` prints what each page and filter of these histories costs.
@main enum AuditBenchmark {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst()
        switch (arguments.first, Array(arguments.dropFirst())) {
        case ("append", let rest) where rest.count == 2 && (Int64(rest[1]) ?? 0) > 1000: try append(rest[0], entries: Int64(rest[1]) ?? 0)
        case ("fill", let rest) where rest.count == 1 || (rest.count == 2 && (Int64(rest[1]) ?? 0) > 0):
            _ = try FilledHistory(rest[0], runs: rest.count == 2 ? Int64(rest[1]) ?? 0 : 1000, entriesPerRun: 5)
        case ("queries", let folders) where !folders.isEmpty: try QueryCosts.report(folders)
        default:
            print("usage: AuditBenchmark append FOLDER ENTRIES | fill FOLDER [RUNS] | queries FOLDER...; ENTRIES is more than 1000")
            exit(ExitStatus.usage.rawValue)
        }
    }

    private static func append(_ folder: String, entries: Int64) throws {
        func history(_ entries: Int64) throws -> FilledHistory {
            try FilledHistory("\(folder)/\(entries)", runs: entries / 2, entriesPerRun: 2)
        }
        let small = try history(1000)
        _ = try history(10_000)
        let large = try history(entries)
        // Alternating, so that both meet the same load on the disk.
        let costs = try (0..<300).map { _ in (small: try small.append(), large: try large.append()) }
        report("append and commit, with the disk's syncs", entries, costs.map { ($0.small.whole, $0.large.whole) })
        report("append alone", entries, costs.map { ($0.small.append, $0.large.append) })
    }

    private static func report(_ what: String, _ entries: Int64, _ costs: [(small: Duration, large: Duration)]) {
        func median(_ durations: [Duration]) -> Double { durations.sorted()[durations.count / 2] / .microseconds(1) }
        let (small, large) = (median(costs.map(\.small)), median(costs.map(\.large)))
        print(String(format: "%@: %.0f µs at 1000 entries, %.0f µs at %ld, ratio %.2f", what, small, large, entries, large / small))
    }
}
