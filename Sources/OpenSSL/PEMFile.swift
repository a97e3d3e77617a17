import Glibc
import Linux

/// A PEM file's content (RFC 7468) and the name that messages call it by.
package struct PEMFile: Sendable {
    /// The path, or what a person knows the bytes by.
    package let name: String
    /// The content, not yet looked at.
    package let bytes: [UInt8]

    /// Far above any chain; keeps a device or a log file named by mistake from being read whole.
    private static let limit = 1 << 20

    /// For content that was read elsewhere.
    package init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    /// Reads a certificate chain. Links are followed: ACME clients keep `live/…/fullchain.pem` as one.
    package init(certificate path: String) throws(TLSIdentityError) {
        self.init(name: path, bytes: try Self.read(path).bytes)
    }

    /// Reads a private key, which nobody but the owner may change and nobody but owner and group may read; the owner
    /// must be root or this process's user.
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
