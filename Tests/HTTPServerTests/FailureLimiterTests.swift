import Testing

@testable import HTTPServer

@Suite struct FailureLimiterTests {
    @Test func theEleventhFailureWithinAMinuteWaitsForItsEnd() {
        let limiter = FailureLimiter()
        for second in 0..<10 { #expect(limiter.recordFailure(from: "192.0.2.1", now: Int64(second) * 1000) == nil) }
        #expect(limiter.recordFailure(from: "192.0.2.1", now: 10_000) == 50)
        #expect(limiter.recordFailure(from: "192.0.2.1", now: 59_999) == 1)
        #expect(limiter.recordFailure(from: "192.0.2.2", now: 59_999) == nil, "another client")
        #expect(limiter.recordFailure(from: "192.0.2.1", now: 60_000) == nil, "a new minute")
    }

    @Test func addressesOfOneIPv6NetworkCountTogether() {
        let limiter = FailureLimiter()
        for host in 0..<10 { #expect(limiter.recordFailure(from: "2001:db8::\(host)", now: 0) == nil) }
        #expect(limiter.recordFailure(from: "2001:db8::ffff", now: 0) == 60)
        #expect(limiter.recordFailure(from: "2001:db8:0:1::1", now: 0) == nil)
    }

    @Test func memoryIsLimited() {
        let limiter = FailureLimiter()
        for _ in 0..<11 { _ = limiter.recordFailure(from: "192.0.2.1", now: 5) }
        func flood(_ network: UInt8, now: Int64) {
            for address in 0..<FailureLimiter.maximumNetworks + 100 {
                _ = limiter.recordFailure(from: "\(network).0.\(address / 256).\(address % 256)", now: now)
            }
        }
        flood(10, now: 6)
        #expect(limiter.count == FailureLimiter.maximumNetworks)
        // The flood has dropped its window, because that would have ended first. So it cannot be kept out for long.
        #expect(limiter.recordFailure(from: "192.0.2.1", now: 6) == nil)
        flood(11, now: 70_000)
        #expect(limiter.count == FailureLimiter.maximumNetworks)
    }

    @Test func windowsThatHaveEndedMakeRoomFirst() {
        let limiter = FailureLimiter()
        for _ in 0..<11 { _ = limiter.recordFailure(from: "192.0.2.1", now: 50_000) }
        for address in 0..<FailureLimiter.maximumNetworks - 1 { _ = limiter.recordFailure(from: "10.0.\(address / 256).\(address % 256)", now: 0) }
        #expect(limiter.recordFailure(from: "192.0.2.2", now: 60_001) == nil)
        #expect(limiter.count == 2)
        #expect(limiter.recordFailure(from: "192.0.2.1", now: 60_001) == 50)
    }
}
