import AuditLog
import Logging

/// Looks at the audit log when the service starts: signature, right edge and schema at once, the whole in the background
/// (``BackgroundVerification``). Damage stops runs, because what cannot be proven later must not be done; reading goes on.
package struct StartupVerification: Sendable {
    package let history: HistoryStore
    package let pinned: VerifierKey?
    package let logger: Logger

    package init(history: HistoryStore, pinned: VerifierKey?, logger: Logger) {
        self.history = history
        self.pinned = pinned
        self.logger = logger
    }

    /// Checks signature, right edge and schema. Call this before the listener opens. The cost does not depend on the length of the
    /// audit log.
    package func checkEdge() throws {
        guard history.knownDamage == nil else { return tell(history.knownDamage ?? "") }
        let key = history.log.signer.verifierKey
        let problem = try history.reader.read { connection -> String? in
            do {
                guard let head = try StoredLog.head(connection) else { return "there is no signed checkpoint" }
                guard try head.isSigned(by: key) else { return "the newest checkpoint is not signed by this service's key" }
                let tree = try StoredLog.tree(connection)
                guard tree.size == head.checkpoint.size else { return "the newest checkpoint covers \(head.checkpoint.size) of \(tree.size) entries" }
                guard tree.root == head.checkpoint.root else { return "the stored hashes do not give the signed root" }
                let damage = try SchemaCheck.damage(connection)
                guard damage.count > 0 else { return nil }
                let acceptance = try Acceptance(connection, key: key)
                return damage.first.first { !acceptance.covers($0) }?.text
            } catch {
                return "\(error)"
            }
        }
        if let problem { declare(problem) }
    }

    /// The whole verification. Blocks for seconds if the history is long.
    /// - Throws: the obstacle, for example a lock. Damage is in the report.
    func verifyAll() throws -> HistoryVerification.Report {
        try HistoryVerification(reader: history.reader, expectedKey: pinned, ownKey: history.log.signer.verifierKey).run()
    }

    /// Logs what was found, and stops runs where it is damage.
    func tell(_ report: HistoryVerification.Report) {
        if report.isIntact, report.isComplete {
            logger.info("the history is intact: \(report.size) entries")
        } else if report.isIntact {
            logger.warning(
                "\(report.size) entries of the history are intact; it was written all the while, so that rows without entries were not looked for")
        }
        for damage in report.acceptedDamage { logger.warning("damage that was accepted with audit resume: \(damage.text)") }
        if report.newCount > 0 { declare(report.newDamage.first?.text ?? "problems were found") }
    }

    /// Stops runs.
    func declare(_ problem: String) {
        history.declareDamaged(
            "the history was tampered with or damaged: \(problem); look with sync-service audit verify, restore a backup, or accept it with sync-service audit resume --reason"
        )
        tell(problem)
    }

    private func tell(_ problem: String) {
        logger.critical("runs are refused, because the history cannot be trusted: \(problem)")
    }
}
