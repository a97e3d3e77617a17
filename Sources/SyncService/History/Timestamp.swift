import FoundationEssentials

/// Times as the history and the API write them: RFC 3339, UTC, milliseconds.
enum Timestamp {
    private static let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    /// - Parameter milliseconds: since 1970 UTC.
    static func text(_ milliseconds: Int64) -> String {
        // Whole seconds by the library, which cuts fractions off where a Double falls just short of them.
        let (seconds, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        let whole = Date(timeIntervalSince1970: Double(rest < 0 ? seconds - 1 : seconds)).formatted(Date.ISO8601FormatStyle())
        let fraction = String(1000 + (rest < 0 ? rest + 1000 : rest)).dropFirst()
        return "\(whole.dropLast()).\(fraction)Z"
    }

    /// Milliseconds since 1970 of an RFC 3339 time, with or without fractions and with any offset.
    /// - Returns: nil where it is none.
    static func milliseconds(parsing text: String) -> Int64? {
        guard text.utf8.count <= 40 else { return nil }
        let date = (try? style.parse(text)) ?? (try? Date.ISO8601FormatStyle().parse(text))
        return date.map { Int64(($0.timeIntervalSince1970 * 1000).rounded()) }
    }
}
