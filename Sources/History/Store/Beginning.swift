import AuditLog
import SQLite

/// The opened audit log, and why it is not the expected one. Opening begins the log if it has no entries.
struct Beginning: Sendable {
    let log: StoredLog
    /// nil if the log is the expected one.
    let refusal: WritePermission.Refusal?

    private init(_ log: StoredLog, _ refusal: WritePermission.Refusal?) { (self.log, self.refusal) = (log, refusal) }

    /// - Parameters:
    ///   - writer: must be in nobody else's use.
    ///   - rollback: says whether a checkpoint outside shows that this is not the newest history. It takes the keys that may
    ///     have signed it.
    init(_ writer: Connection, _ audit: AuditSettings, rollback: ([VerifierKey]) throws -> Rollback?) throws {
        if try Genesis(writer).hasEntries {
            let (genesis, log) = try Self.open(writer, audit)
            self.init(log, try Self.refusal(genesis, log, writer, audit, rollback))
            return
        }
        // Looks again with the write lock: if several processes start for the first time, one makes key and entry 0.
        self = try writer.transaction {
            let (genesis, log) = try Self.open(writer, audit)
            // Nothing is signed over a size that was signed before.
            if let refusal = try Self.refusal(genesis, log, writer, audit, rollback) { return Beginning(log, refusal) }
            if !genesis.hasEntries { try genesis.write(log, writer) }
            return Beginning(log, nil)
        }
    }

    private static func open(_ connection: Connection, _ audit: AuditSettings) throws -> (Genesis, StoredLog) {
        let genesis = try Genesis(connection)
        let key = try AuditKey.loadOrCreate(audit, hasEntries: genesis.hasEntries, head: try StoredLog.head(connection))
        return (genesis, StoredLog(signer: key))
    }

    private static func refusal(
        _ genesis: Genesis, _ log: StoredLog, _ connection: Connection, _ audit: AuditSettings, _ rollback: ([VerifierKey]) throws -> Rollback?
    ) throws -> WritePermission.Refusal? {
        let key = log.signer.verifierKey
        let rollback = try rollback(Array(Set([key, genesis.firstKey, audit.pinned].compactMap { $0 })))
        let problem = try genesis.problem(pinned: audit.pinned, signer: log.signer, connection) ?? rollback?.description
        return problem.map { .init(problem: $0, rollback: rollback, isRolledBack: rollback != nil) }
    }
}
