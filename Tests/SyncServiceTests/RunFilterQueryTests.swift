import HTTPServer
import History
import RunProtocol
import Testing

@testable import SyncService

@Suite struct RunFilterQueryTests {
    @Test func filtersAreTakenStrictly() throws {
        let filter = try RunFilter(
            Query(
                "limit=7&cursor=9&user=a%2Bb+c%C3%A9&outcome=timed_out&trigger=cli&since=2026-01-31T12:00:00Z&until=2026-01-31T13:00:00.500%2B01:00"))
        #expect(filter.limit == 7)
        #expect(filter.before == 9)
        #expect(filter.user == "a+b cé")
        #expect(filter.outcome == .timedOut)
        #expect(filter.trigger == .cli)
        #expect(filter.since == 1_769_860_800_000)
        #expect(filter.until == 1_769_860_800_500)
    }

    @Test(arguments: [
        "limit=0", "limit=201", "limit=x", "limit=1&limit=2", "cursor=0", "outcome=fine", "trigger=cron", "since=yesterday", "until=2026-02-30",
        "color=red",
        "user=%", "user=%zz", "user=%+1", "user=%-0", "user=%0-", "user=%4\u{660}", "user=%ff", "user=",
    ])
    func wrongParametersAreRefused(query: String) {
        #expect(throws: RequestError.self) { try RunFilter(Query(query)) }
    }
}
