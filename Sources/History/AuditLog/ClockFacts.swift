import JSON
import Linux

/// What the kernel says of its clock, for entries whose time may be doubted later.
package enum ClockFacts {
    /// Whether the clock is believed to be synchronised, and how far off it may be (adjtimex(2)).
    package static func members() -> [JSONValue.Member] {
        guard let state = Clock.synchronisation() else { return [.init("clock_synchronised", .null)] }
        return [
            .init("clock_synchronised", .bool(state.synchronised)), .init("clock_error_us", .integer(state.maximumErrorMicroseconds)),
        ]
    }
}
