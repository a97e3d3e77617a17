/// When an entry was made: microseconds since 1970 UTC, from year 0 to 9999. Its text is RFC 3339 in one fixed form,
/// `2026-01-31T23:59:59.000001Z`, so that the order of the texts is the order of the times.
package struct LeafTime: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let microseconds: Int64

    private static let range = Int64(-62_167_219_200_000_000)...253_402_300_799_999_999

    /// A time outside the range becomes the nearest inside: a clock that is far off must not prevent an entry.
    package init(microseconds: Int64) {
        self.microseconds = min(max(microseconds, Self.range.lowerBound), Self.range.upperBound)
    }

    /// - Returns: nil unless the text is in the fixed form and names a day of the calendar. No leap seconds: the system's
    ///   clock has none.
    package init?(_ text: some Collection<UInt8>) {
        let form = Self.form.span
        guard text.count == form.count else { return nil }
        var numbers: [7 of Int64] = .init(repeating: 0)
        var number = 0
        var place = 0
        for byte in text {
            let expected = form[place]
            place += 1
            if expected == UInt8(ascii: "0") {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                numbers[number] = numbers[number] * 10 + Int64(byte - UInt8(ascii: "0"))
            } else {
                guard byte == expected else { return nil }
                number += 1
            }
        }
        let (year, month, day) = (numbers[0], numbers[1], numbers[2])
        guard (1...12).contains(month), (1...Self.daysOfMonth(month, year)).contains(day),
            numbers[3] < 24, numbers[4] < 60, numbers[5] < 60
        else { return nil }
        let seconds = Self.days(year, month, day) * 86400 + numbers[3] * 3600 + numbers[4] * 60 + numbers[5]
        microseconds = seconds * 1_000_000 + numbers[6]
    }

    private static let form = Array("0000-00-00T00:00:00.000000Z".utf8)

    package var description: String {
        let seconds = microseconds.flooredQuotient(by: 1_000_000)
        let days = seconds.flooredQuotient(by: 86400)
        let second = seconds - days * 86400
        let (year, month, day) = Self.date(days)
        let date = "\(Self.digits(year, 4))-\(Self.digits(month, 2))-\(Self.digits(day, 2))"
        let time = [second / 3600, second / 60 % 60, second % 60].map { Self.digits($0, 2) }.joined(separator: ":")
        return "\(date)T\(time).\(Self.digits(microseconds - seconds * 1_000_000, 6))Z"
    }

    package static func < (left: LeafTime, right: LeafTime) -> Bool { left.microseconds < right.microseconds }

    private static func digits(_ number: Int64, _ count: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, count - digits.utf8.count)) + digits
    }

    // The Gregorian calendar repeats after 400 years of 146,097 days. Years are counted from March, so that the leap day
    // is the last of its year; 1970-01-01 is day 719,468 counted from 0000-03-01.
    private static let era: Int64 = 146_097
    private static let epoch: Int64 = 719_468

    /// Days since 1970-01-01.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month > 2 ? year : year - 1
        let eras = shifted.flooredQuotient(by: 400)
        let yearOfEra = shifted - eras * 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return eras * era + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - epoch
    }

    private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + epoch
        let eras = shifted.flooredQuotient(by: era)
        let dayOfEra = shifted - eras * era
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = (marchMonth + 2) % 12 + 1
        let year = yearOfEra + eras * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }

    private static func daysOfMonth(_ month: Int64, _ year: Int64) -> Int64 {
        switch month {
        case 2: year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400)) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension Int64 {
    fileprivate func flooredQuotient(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
