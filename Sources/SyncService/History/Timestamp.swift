import FoundationEssentials

/// Times as the history and the API write them: RFC 3339, UTC, milliseconds.
enum Timestamp {
    private static let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    /// - Parameter milliseconds: since 1970 UTC.
    static func text(_ milliseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(style)
    }

    /// Milliseconds since 1970 of an RFC 3339 time, with or without fractions and with any offset.
    /// - Returns: nil where it is none.
    static func milliseconds(parsing text: String) -> Int64? {
        guard text.utf8.count <= 40 else { return nil }
        let date = (try? style.parse(text)) ?? (try? Date.ISO8601FormatStyle().parse(text))
        return date.map { Int64(($0.timeIntervalSince1970 * 1000).rounded()) }
    }
}
