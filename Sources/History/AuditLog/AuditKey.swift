import AuditLog
import Diagnostics
import Glibc
import Linux
import OpenSSL

/// The key that signs the history, in a file that nobody else can read.
enum AuditKey {
    /// Reads the key, or makes it where there is neither key nor history.
    /// - Parameter hasEntries: whether the log has begun: then a missing key is a loss to be told, not to be papered over.
    /// - Throws: ``HistoryError`` with what to do.
    /// - Parameter head: the newest checkpoint: a rotation that was cut short is finished where the next key signed it.
    static func load(_ settings: AuditSettings, hasEntries: Bool, head: SignedCheckpoint?) throws(HistoryError) -> AuditLog.Signer {
        let path = settings.keyFile
        do {
            if let head, let next = try? signer(settings, path + ".next"), try head.isSigned(by: next.verifierKey) {
                try Files.rename(path + ".next", path)
                try Files.syncFolder(of: path)
            }
            do { return try signer(settings, path) } catch let error as SystemError where error.isNoSuchFile {
                guard !hasEntries else {
                    throw HistoryError("\(path): the key that signed this history is gone; put it back from your backup (AUDIT_KEY_FILE)")
                }
                try create(path)
                return try signer(settings, path)
            }
        } catch let error as HistoryError {
            throw error
        } catch let error as SettingsError {
            throw HistoryError("\(error)", cause: error)
        } catch {
            throw HistoryError("\(path): the key that signs the history cannot be used: \(error)", cause: error)
        }
    }

    /// Makes a key beside the present one.
    /// - Returns: its signer, and what puts it in the present one's place once the audit log names it.
    static func prepareNext(_ settings: AuditSettings) throws(HistoryError) -> (AuditLog.Signer, () throws(HistoryError) -> Void) {
        let next = settings.keyFile + ".next"
        do {
            try Files.removeIfPresent(next)
            try create(next)
            let key = try Ed25519.PrivateKey(pem: try Files.read(next, limit: 4096))
            return (try AuditLog.Signer(origin: settings.origin, key: key), { () throws(HistoryError) in
                do {
                    try Files.rename(next, settings.keyFile)
                    try Files.syncFolder(of: settings.keyFile)
                } catch {
                    throw HistoryError("\(error): the trail names the new key already; rename \(next) to \(settings.keyFile)")
                }
            })
        } catch {
            throw HistoryError(next, error)
        }
    }

    private static func create(_ path: String) throws {
        // Under its name the key is there whole or not at all, and never in the place of another.
        let temporary = path + ".new"
        try Files.removeIfPresent(temporary)
        let file = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        try file.write(try Ed25519.PrivateKey.generate().pem())
        try file.sync()
        guard link(temporary, path) == 0 else { throw SystemError("link", path) }
        try Files.removeIfPresent(temporary)
        try Files.syncFolder(of: path)
    }

    private static func signer(_ settings: AuditSettings, _ path: String) throws -> AuditLog.Signer {
        let (pem, facts) = try Files.readWithFacts(path, limit: 4096, followLink: false)
        guard facts.mode & 0o077 == 0, facts.owner == geteuid() else {
            let chown = facts.owner == geteuid() ? "" : "chown \(Account.own) \(path) && "
            throw SettingsError("AUDIT_KEY_FILE: others can read \(path), the key that signs the history", fix: "\(chown)chmod 600 \(path)")
        }
        return try AuditLog.Signer(origin: settings.origin, key: Ed25519.PrivateKey(pem: pem))
    }
}
