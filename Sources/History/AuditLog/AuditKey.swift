import AuditLog
import Diagnostics
import Glibc
import Linux
import OpenSSL

/// The key that signs the history, in a file that only its owner can read.
enum AuditKey {
    /// Reads the key, or makes one where there is neither key nor history. Finishes a change of keys that was cut short: if the next
    /// key signed the newest checkpoint, it takes the place of the present one.
    /// - Parameters:
    ///   - hasEntries: whether the log has begun. Then a missing key is an error, because a new one could not prove the old entries.
    ///   - head: the newest checkpoint.
    /// - Throws: ``HistoryError`` with what to do.
    static func loadOrCreate(_ settings: AuditSettings, hasEntries: Bool, head: SignedCheckpoint?) throws(HistoryError) -> AuditLog.Signer {
        let path = settings.keyFile
        do {
            if let head, let next = try? readSigner(settings, path + ".next"), try head.isSigned(by: next.verifierKey) {
                try Files.rename(path + ".next", path)
                try Files.syncFolder(of: path)
            }
            do { return try readSigner(settings, path) } catch let error as SystemError where error.isNoSuchFile {
                guard !hasEntries else {
                    throw HistoryError("\(path): the key that signed this history is gone; put it back from your backup (AUDIT_KEY_FILE)")
                }
                try create(path)
                return try readSigner(settings, path)
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
    /// - Returns: its signer, and a function that puts it in the place of the present one. Call it once the audit log names the key.
    static func prepareNext(_ settings: AuditSettings) throws(HistoryError) -> (AuditLog.Signer, () throws(HistoryError) -> Void) {
        let next = settings.keyFile + ".next"
        do {
            try Files.removeIfPresent(next)
            try create(next)
            let key = try Ed25519.PrivateKey(pem: try Files.read(next, limit: 4096))
            return (
                try AuditLog.Signer(origin: settings.origin, key: key),
                { () throws(HistoryError) in
                    do {
                        try Files.rename(next, settings.keyFile)
                        try Files.syncFolder(of: settings.keyFile)
                    } catch {
                        throw HistoryError("\(error): the trail names the new key already; rename \(next) to \(settings.keyFile)")
                    }
                }
            )
        } catch {
            throw HistoryError(next, error)
        }
    }

    private static func create(_ path: String) throws {
        // Linked under its name only when it is complete, and never over another key.
        let temporary = path + ".new"
        try Files.removeIfPresent(temporary)
        let file = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        try file.write(try Ed25519.PrivateKey.generate().pem())
        try file.sync()
        guard link(temporary, path) == 0 else { throw SystemError("link", path) }
        try Files.removeIfPresent(temporary)
        try Files.syncFolder(of: path)
    }

    private static func readSigner(_ settings: AuditSettings, _ path: String) throws -> AuditLog.Signer {
        let (pem, facts) = try Files.readWithFacts(path, limit: 4096, followLink: false)
        guard facts.mode & 0o077 == 0, facts.owner == geteuid() else {
            let chown = facts.owner == geteuid() ? "" : "chown \(Account.own) \(path) && "
            throw SettingsError("AUDIT_KEY_FILE: others can read \(path), the key that signs the history", fix: "\(chown)chmod 600 \(path)")
        }
        return try AuditLog.Signer(origin: settings.origin, key: Ed25519.PrivateKey(pem: pem))
    }
}
