import HTTPTypes
import RunProtocol
import Testing

@testable import SyncService

@Suite struct RequestPartsTests {
    @Test(arguments: [
        (nil, 0, 10, false), ("bytes=0-4", 0, 5, true), ("bytes=5-", 5, 5, true), ("bytes=-3", 7, 3, true), ("bytes=-30", 0, 10, true),
        ("bytes=9-99", 9, 1, true), ("bytes=4-2", 0, 10, false), ("bytes=0-1,3-4", 0, 10, false), ("items=0-1", 0, 10, false),
        ("bytes=a-b", 0, 10, false), ("bytes=-", 0, 10, false), ("bytes=99999999999999999999-", 0, 10, false),
    ] as [(String?, Int64, Int64, Bool)])
    func ranges(header: String?, first: Int64, count: Int64, partial: Bool) throws {
        let range = try ByteRange(header, size: 10)
        #expect((range.first, range.count, range.partial) == (first, count, partial))
    }

    @Test(arguments: [("bytes=10-", Int64(10)), ("bytes=-0", 10), ("bytes=-1", 0), ("bytes=0-", 0)])
    func rangesOutside(header: String, size: Int64) {
        #expect(throws: RequestError.self) { try ByteRange(header, size: size) }
    }

    @Test func filtersAreTakenStrictly() throws {
        let filter = try RunFilter(Query("limit=7&cursor=9&user=a%2Bb+c%C3%A9&outcome=timed_out&trigger=cli&since=2026-01-31T12:00:00Z&until=2026-01-31T13:00:00.500%2B01:00"))
        #expect(filter.limit == 7)
        #expect(filter.before == 9)
        #expect(filter.user == "a+b cé")
        #expect(filter.outcome == .timedOut)
        #expect(filter.trigger == .cli)
        #expect(filter.since == 1_769_860_800_000)
        #expect(filter.until == 1_769_860_800_500)
    }

    @Test(arguments: [
        "limit=0", "limit=201", "limit=x", "limit=1&limit=2", "cursor=0", "outcome=fine", "trigger=cron", "since=yesterday", "until=2026-02-30", "color=red",
        "user=%", "user=%zz", "user=%+1", "user=%-0", "user=%0-", "user=%4\u{660}", "user=%ff", "user=",
    ])
    func wrongParametersAreRefused(query: String) {
        #expect(throws: RequestError.self) { try RunFilter(Query(query)) }
    }

    @Test func pathsMatchExactly() {
        let route = Route(method: .get, path: "/admin/runs/{id}", role: .admin) { _ in throw RequestError.notFound }
        func match(_ path: String) -> Int64? { route.match(path.split(separator: "/", omittingEmptySubsequences: false)) }
        #expect(match("/admin/runs/12") == 12)
        for path in ["/admin/runs/0", "/admin/runs/012", "/admin/runs/+1", "/admin/runs/-1", "/admin/runs/", "/admin/runs/1/", "/admin//runs/1",
            "/Admin/runs/1", "/admin/runs/99999999999999999999", "/admin/runs/%31", "admin/runs/1"]
        { #expect(match(path) == nil, "\(path)") }
    }

    @Test func timesAreWrittenInOneForm() {
        #expect(Timestamp.text(0) == "1970-01-01T00:00:00.000Z")
        #expect(Timestamp.text(1_769_860_800_001) == "2026-01-31T12:00:00.001Z")
        for milliseconds: Int64 in [1_769_860_800_001, 1_769_860_800_999, 1_111_111_111_111] {
            #expect(Timestamp.milliseconds(parsing: Timestamp.text(milliseconds)) == milliseconds)
        }
        #expect(Timestamp.text(-1) == "1969-12-31T23:59:59.999Z")
        #expect(Timestamp.text(.max) == "9999-12-31T23:59:59.999Z")
        #expect(Timestamp.text(.min) == "0000-01-01T00:00:00.000Z")
    }

    @Test(arguments: [
        ("1970-01-01", 0), ("1970-01-02", 86_400_000), ("1970-01-01T00:00:00Z", 0), ("1970-01-01t00:00:00z", 0), ("1970-01-01T07:00:00+07:00", 0),
        ("1969-12-31T12:00:00-12:00", 0), ("1970-01-01T00:00:00-00:00", 0), ("1970-01-01T00:00:00.001999999Z", 1), ("1969-12-31T23:59:59.9999Z", -1),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000), ("0000-01-01", -62_167_219_200_000), ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ] as [(String, Int64)])
    func timesAreRead(text: String, milliseconds: Int64) {
        #expect(Timestamp.milliseconds(parsing: text) == milliseconds)
    }

    @Test(arguments: [
        "", "1970", "1970-01", "10000-01-01", "10000-01-01T00:00:00Z", "2026-02-30", "2026-02-29", "2025-00-01", "2025-01-00", "2025-13-01",
        "2025-01-01T", "2025-01-01T24:00:00Z", "2025-01-01T99:00:00Z", "2025-01-01T00:60:00Z", "2016-12-31T23:59:60Z", "2025-01-01T00:00Z",
        "2025-01-01T00:00:00", "2025-01-01 00:00:00Z", "2025-01-01T00:00:00.Z", "2025-01-01T00:00:00,5Z", "2025-01-01T00:00:00+0700",
        "2025-01-01T00:00:00+24:00", "2025-01-01T00:00:00+07:60", "2025-01-01T00:00:00+07:00Z", "2025-01-01T00:00:00*07:00", "-001-01-01",
        "+2025-01-01", " 2025-01-01", "2025-01-01 ", "2025-1-1", "２０２５-01-01", "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
    ])
    func whatIsNoTimeIsRefused(text: String) {
        #expect(Timestamp.milliseconds(parsing: text) == nil)
    }
}
