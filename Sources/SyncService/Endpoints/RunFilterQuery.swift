import HTTPServer
import History
import RunProtocol

extension RunFilter {
    /// The filter of `GET /admin/runs`.
    /// - Throws: ``RequestError/badRequest(_:)`` for unknown and malformed parameters.
    init(_ query: Query) throws(RequestError) {
        self.init()
        try query.allow(only: ["limit", "cursor", "user", "outcome", "trigger", "since", "until"])
        let limits = Self.limits
        limit =
            try query.value("limit", "a number from \(limits.lowerBound) to \(limits.upperBound)") {
                Int($0).flatMap { limits.contains($0) ? $0 : nil }
            } ?? limit
        before = try query.value("cursor", "the next of an earlier answer") { Int64($0).flatMap { $0 > 0 ? $0 : nil } }
        user = try query.value("user", "a user") { $0.isEmpty ? nil : $0 }
        outcome = try query.value("outcome", "one of \(Outcome.allCases.map(\.rawValue).joined(separator: ", "))") { Outcome(rawValue: $0) }
        trigger = try query.value("trigger", "api or cli") { Requester.Trigger(rawValue: $0) }
        since = try query.time("since")
        until = try query.time("until")
    }
}

extension Query {
    /// A time parameter in the form of RFC 3339, in milliseconds since 1970.
    func time(_ name: String) throws(RequestError) -> Int64? {
        try value(name, "a date or time such as 2026-01-31, 2026-01-31T12:00:00Z or 2026-01-31T19:00:00%2B07:00") {
            Timestamp.milliseconds(parsing: $0)
        }
    }
}
