import CLinux
import Glibc

/// The machine's clocks.
package enum Clock {
    /// Milliseconds since 1970 UTC by the wall clock, which can be set and may step.
    package static func wallMilliseconds() -> Int64 { milliseconds(CLOCK_REALTIME) }

    /// Milliseconds of a clock that never goes back while the machine is up, for durations and deadlines.
    package static func monotonicMilliseconds() -> Int64 { milliseconds(CLOCK_MONOTONIC) }

    /// Microseconds since 1970 UTC by the wall clock.
    package static func wallMicroseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    /// Milliseconds since the machine started, with sleep. The wall clock advances by as much if nobody sets it.
    package static func bootMilliseconds() -> Int64 { milliseconds(CLOCK_BOOTTIME) }

    /// Whether the kernel's clock is synchronised (adjtimex(2)); nil if the kernel does not tell.
    package static func synchronisation() -> (synchronised: Bool, maximumErrorMicroseconds: Int64)? {
        var error = 0
        let state = clinux_clock_state(&error)
        return state < 0 ? nil : (state == 1, Int64(error))
    }

    private static func milliseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}

/// Times by the wall clock that others wrote, in a file's metadata, a message or a file.
package enum WallTime {
    /// The years 0 to 9999, in milliseconds since 1970 UTC. Each of these can be written as a date, and the difference of any
    /// two fits an Int64.
    package static let range: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

    /// - Returns: the nearest time in ``range``.
    package static func clamped(milliseconds: Int64) -> Int64 { min(max(milliseconds, range.lowerBound), range.upperBound) }

    /// - Returns: a kernel's time in milliseconds, the nearest one in ``range``. tmpfs stores any number of seconds.
    static func clamped(seconds: Int, nanoseconds: Int) -> Int64 {
        let (milliseconds, overflow) = Int64(seconds).multipliedReportingOverflow(by: 1000)
        if overflow { return seconds < 0 ? range.lowerBound : range.upperBound }
        return clamped(milliseconds: clamped(milliseconds: milliseconds) + Int64(nanoseconds) / 1_000_000)
    }
}
