extension TableComparison {
    /// What a comparison found.
    package struct Report: Sendable {
        var damage = DamageList()
        package internal(set) var redactions: [String] = []
        package internal(set) var redactionCount: Int64 = 0
        package internal(set) var runs: Int64 = 0
        package internal(set) var notIsolated: Int64 = 0

        private static let limit = 100

        mutating func add(redaction: String) {
            redactionCount += 1
            if redactions.count < Self.limit { redactions.append(redaction) }
        }
    }
}
