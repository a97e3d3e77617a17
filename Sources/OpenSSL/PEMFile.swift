import Glibc
import Linux

/// A PEM file's content (RFC 7468) and its name in messages.
package struct PEMFile: Sendable {
    /// The path, or another name that a person knows.
    package let name: String
    /// The content, not checked yet.
    package let bytes: [UInt8]

    /// Far above any chain. It limits the damage if a device or a log file is named by mistake.
    private static let limit = 1 << 20

    /// Wraps content that was read elsewhere.
    package init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    /// Reads a certificate chain. Links are followed, because ACME clients make `live/…/fullchain.pem` a link.
    package init(certificate path: String) throws(TLSIdentityError) {
        self.init(name: path, bytes: try Self.read(path).bytes)
    }

    /// Reads a private key. Only the owner may write it, only owner and group may read it, and the owner must be root or this
    /// process's user.
    package init(privateKey path: String) throws(TLSIdentityError) {
        let (bytes, facts) = try Self.read(path)
        guard facts.mode & 0o027 == 0, facts.owner == 0 || facts.owner == geteuid() else {
            throw .exposedKey(file: path, mode: facts.mode, owner: facts.owner)
        }
        self.init(name: path, bytes: bytes)
    }

    private static func read(_ path: String) throws(TLSIdentityError) -> (bytes: [UInt8], facts: FileFacts) {
        do { return try Files.readWithFacts(path, limit: limit, followLink: true) } catch {
            throw .unreadable(file: path, error)
        }
    }
}
