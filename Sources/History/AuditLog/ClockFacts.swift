import JSON
import Linux

/// What the kernel says of its clock, for entries whose time may be doubted later.
package struct ClockFacts: Sendable {
    /// nil where the kernel does not say.
    private let state: (synchronised: Bool, maximumErrorMicroseconds: Int64)?

    /// Asks the kernel (adjtimex(2)).
    package static func now() -> ClockFacts { ClockFacts(state: Clock.synchronisation()) }

    init(state: (synchronised: Bool, maximumErrorMicroseconds: Int64)?) { self.state = state }

    var members: [EntryMember] {
        [
            .flagOrNull("clock_synchronised", state?.synchronised, "whether the kernel believes that the clock is synchronised"),
            .integerIfAny("clock_error_us", state?.maximumErrorMicroseconds, "how far off it may be, in microseconds"),
        ]
    }
}
