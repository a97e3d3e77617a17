import AuditLog

extension HistoryVerification {
    /// What a verification found.
    package struct Report: Sendable {
        /// nil where SQLite could not read on.
        package let log: LogVerifier.Report?
        package let size: Int64
        package let tables: TableComparison.Report
        /// Whether rows without entries were looked for. That is impossible while the service writes all the time.
        package let isComplete: Bool
        /// All that is wrong.
        package internal(set) var damage: DamageList
        /// Which damage an administrator has accepted with `audit resume`.
        var acceptance = Acceptance()

        /// Whether nothing is wrong, accepted or not.
        package var isIntact: Bool { damage.count == 0 }
        /// Damage that is not accepted.
        package var newDamage: [Damage] { damage.first.filter { !acceptance.covers($0) } }
        package var acceptedDamage: [Damage] { damage.first.filter(acceptance.covers) }
        /// What is not listed cannot have been accepted.
        package var newCount: Int { damage.count - acceptedDamage.count }
    }
}
