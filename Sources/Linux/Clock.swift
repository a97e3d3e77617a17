import CLinux
import Glibc

/// The machine's clocks.
public enum Clock {
    /// Milliseconds since 1970 UTC by the wall clock, which can be set and step.
    public static func wallMilliseconds() -> Int64 { milliseconds(CLOCK_REALTIME) }

    /// Milliseconds that only ever grow while the machine is up, for durations and deadlines.
    public static func monotonicMilliseconds() -> Int64 { milliseconds(CLOCK_MONOTONIC) }

    /// Microseconds since 1970 UTC by the wall clock.
    public static func wallMicroseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    /// Milliseconds since the machine started, sleep included: what the wall clock would have gone if nobody set it.
    public static func bootMilliseconds() -> Int64 { milliseconds(CLOCK_BOOTTIME) }

    /// What the kernel says of its own clock (adjtimex(2)); nil where it does not say.
    public static func synchronisation() -> (synchronised: Bool, maximumErrorMicroseconds: Int64)? {
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
