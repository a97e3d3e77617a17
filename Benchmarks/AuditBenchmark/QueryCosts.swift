import AuditLog
import Foundation
import History
import RunProtocol

/// Times the pages and filters of the history, each as `GET /admin/runs` and `GET /admin/audit` ask for it.
enum QueryCosts {
    private static let turns = 21

    private struct Query: Sendable {
        let name: String
        /// Returns how many rows the page has, and whether there is a next page.
        let page: @Sendable (HistoryReader) throws -> (rows: Int, hasNext: Bool)
    }

    static func report(_ folders: [String]) throws {
        for folder in folders {
            print(folder)
            let reader = try HistoryReader(opening: folder + "/history.sqlite")
            for query in queries { print(try line(query, reader)) }
        }
    }

    private static func line(_ query: Query, _ reader: HistoryReader) throws -> String {
        let clock = ContinuousClock()
        var page = (rows: 0, hasNext: false)
        let costs = try (0..<turns).map { _ in try clock.measure { page = try query.page(reader) } / .milliseconds(1) }
        let sorted = costs.sorted()
        let name = query.name.padding(toLength: 44, withPad: " ", startingAt: 0)
        return name
            + String(
                format: "%8.2f ms median, %8.2f the first, %8.2f the longest;%4ld rows%@", sorted[turns / 2], costs[0], sorted[turns - 1],
                page.rows, page.hasNext ? " and a next page" : "")
    }

    private static func runs(_ name: String, _ change: (inout RunFilter) -> Void) -> Query {
        var filter = RunFilter()
        change(&filter)
        return Query(name: "runs, " + name) { [filter] reader in
            let page = try reader.runs(filter)
            return (page.runs.count, page.next != nil)
        }
    }

    private static let queries: [Query] =
        [
            runs("newest") { _ in },
            runs("page in the middle") { $0.before = 500_000 },
            runs("user") { $0.user = "user7" },
            runs("rare user") { $0.user = "guest" },
            runs("unknown user") { $0.user = "nobody" },
            runs("api") { $0.trigger = .api },
            runs("cli, one in 2000") { $0.trigger = .cli },
            runs("since a month") { $0.since = SampleRun.beginning + SampleRun.tenYears - month },
            runs("until the first year") { $0.until = SampleRun.beginning + SampleRun.tenYears / 10 },
            runs("October of year 3") { ($0.since, $0.until) = october },
            runs("before all") { $0.until = 0 },
            runs("after all") { $0.since = 4_000_000_000_000 },
            runs("October of year 3, failed") { ($0.since, $0.until, $0.outcome) = (october.0, october.1, .failed) },
            runs("October of year 3, user, cli") { ($0.since, $0.until, $0.user, $0.trigger) = (october.0, october.1, "user11", .cli) },
            runs("user and cli") { ($0.user, $0.trigger) = ("user11", .cli) },
            runs("user and no cli") { ($0.user, $0.trigger) = ("user7", .cli) },
            runs("user and cancelled") { ($0.user, $0.outcome) = ("user49", .cancelled) },
            runs("cli and cancelled") { ($0.trigger, $0.outcome) = (.cli, .cancelled) },
        ]
        + Outcome.allCases.map { outcome in runs(outcome.rawValue) { $0.outcome = outcome } }
        + ([nil] + Event.allCases).map { event in
            Query(name: "entries, \(event?.rawValue ?? "newest")") { reader in
                let page = try reader.entries(of: event, before: .max, limit: 50)
                return (page.entries.count, page.next != nil)
            }
        }

    private static let month: Int64 = 30 * 86_400_000
    /// October 2018.
    private static let october: (Int64, Int64) = (1_538_352_000_000, 1_541_030_400_000)
}
