import Testing

@testable import HTTPServer

@Suite struct ByteRangeTests {
    @Test(
        arguments: [
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
}
