import AuditLog

/// Times as the history and the API write them: RFC 3339, UTC, milliseconds. All have one form and one length, so the order
/// of the texts is the order of the times.
package enum Timestamp {
    /// - Parameter milliseconds: since 1970 UTC. A time outside the years 0 to 9999 becomes the nearest one inside.
    package static func text(_ milliseconds: Int64) -> String {
        let (microseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1000)
        let time = LeafTime(microseconds: overflow ? (milliseconds < 0 ? .min : .max) : microseconds)
        return "\(time.description.dropLast(4))Z"
    }

    /// Milliseconds since 1970 of an RFC 3339 date or date-time. A date means its midnight, UTC. Digits of a fraction after
    /// the third are ignored. A 60th second is refused, because the system's clock has none.
    ///
    /// - Returns: nil for anything else, and for a time outside the years 0 to 9999 in UTC.
    package static func milliseconds(parsing text: String) -> Int64? {
        guard text.utf8.count <= 64, text.utf8.count >= 10 else { return nil }
        let date = text.utf8.prefix(10)
        var rest = text.utf8.dropFirst(10)
        guard !rest.isEmpty else { return utc(Array(date), time: Array("00:00:00".utf8), fraction: [], offsetMinutes: 0) }
        guard let separator = rest.popFirst(), separator | 0x20 == UInt8(ascii: "t") else { return nil }
        let time = Array(rest.prefix(8))
        rest = rest.dropFirst(8)
        var fraction: [UInt8] = []
        if rest.first == UInt8(ascii: ".") {
            fraction = Array(rest.dropFirst().prefix { isDigit($0) })
            guard !fraction.isEmpty else { return nil }
            rest = rest.dropFirst(1 + fraction.count)
        }
        return offsetMinutes(Array(rest)).flatMap { utc(Array(date), time: time, fraction: fraction, offsetMinutes: $0) }
    }

    /// `Z`, or `+hh:mm` and `-hh:mm`.
    private static func offsetMinutes(_ text: [UInt8]) -> Int64? {
        if text.count == 1 { return text[0] | 0x20 == UInt8(ascii: "z") ? 0 : nil }
        guard text.count == 6, text[3] == UInt8(ascii: ":"), [1, 2, 4, 5].allSatisfy({ isDigit(text[$0]) }) else { return nil }
        func number(_ place: Int) -> Int64 { Int64(text[place] & 15) * 10 + Int64(text[place + 1] & 15) }
        guard number(1) < 24, number(4) < 60 else { return nil }
        let minutes = number(1) * 60 + number(4)
        return switch text[0] {
        case UInt8(ascii: "+"): minutes
        case UInt8(ascii: "-"): -minutes
        default: nil
        }
    }

    /// ``LeafTime`` checks the calendar.
    private static func utc(_ date: [UInt8], time: [UInt8], fraction: [UInt8], offsetMinutes: Int64) -> Int64? {
        let sixDigits = (fraction + [UInt8](repeating: UInt8(ascii: "0"), count: 6)).prefix(6)
        guard let local = LeafTime(date + "T".utf8 + time + ".".utf8 + sixDigits + "Z".utf8) else { return nil }
        let microseconds = local.microseconds - offsetMinutes * 60_000_000
        // LeafTime moves a year that it cannot hold into its range. That would be another time.
        guard LeafTime(microseconds: microseconds).microseconds == microseconds else { return nil }
        let (quotient, remainder) = microseconds.quotientAndRemainder(dividingBy: 1000)
        return remainder < 0 ? quotient - 1 : quotient
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
