import Testing

@testable import Diagnostics

@Suite struct LogThrottleTests {
    @Test func linesBeyondTheLimitAreCountedInTheNextOne() {
        let throttle = LogThrottle(lines: 2, in: 10_000)
        var lines: [String] = []
        for now: Int64 in [0, 1, 2, 3, 9_999, 10_000, 10_001] { throttle.log(now: now) { lines.append($0) } }
        #expect(lines == ["", "", "; 3 others since the last such line", ""])
    }
}
