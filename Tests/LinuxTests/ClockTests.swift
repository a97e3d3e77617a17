import Testing

@testable import Linux

@Suite struct ClockTests {
    @Test func theMonotonicClockDoesNotGoBack() {
        var last = Clock.monotonicMilliseconds()
        for _ in 0..<1000 {
            let now = Clock.monotonicMilliseconds()
            #expect(now >= last)
            last = now
        }
    }

    @Test func theClocksAgreeOnTheirUnits() {
        let before = Clock.wallMilliseconds()
        let between = Clock.wallMicroseconds()
        let after = Clock.wallMilliseconds()
        #expect((before...after).contains(between / 1000))
        #expect(WallTime.range.contains(before))
    }

    @Test func theRangeIsTheYears0To9999() {
        // 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z, as date(1) counts them.
        #expect(WallTime.range == -62_167_219_200_000...253_402_300_799_999)
    }

    @Test(arguments: [
        (Int64.min, WallTime.range.lowerBound), (-1, -1), (0, 0), (.max, WallTime.range.upperBound),
        (WallTime.range.upperBound, WallTime.range.upperBound),
    ])
    func timesOfOthersAreClamped(milliseconds: Int64, expected: Int64) {
        #expect(WallTime.clamped(milliseconds: milliseconds) == expected)
    }

    @Test(arguments: [
        (1, 999_999_999, 1999), (-1, 500_000_000, -500), (Int.max, 0, WallTime.range.upperBound), (Int.min, 0, WallTime.range.lowerBound),
        (Int.max / 1000, 999_999_999, WallTime.range.upperBound), (253_402_300_799, 999_999_999, WallTime.range.upperBound),
    ])
    func kernelTimesAreClampedWithoutOverflow(seconds: Int, nanoseconds: Int, expected: Int64) {
        #expect(WallTime.clamped(seconds: seconds, nanoseconds: nanoseconds) == expected)
    }
}
