import AuditLog
import JSON
import OpenSSL
import SQLite

/// Which problems an administrator has accepted with `audit resume`: exactly those, and only where the entry that says so is
/// proven to be under our last signature.
struct Acceptance {
    private let digests: Set<String>

    /// Reads the newest `recovered` entry that is in the signed tree.
    init(_ connection: Connection, key: VerifierKey) throws {
        var found: Set<String> = []
        if let head = try Trail.head(connection), try head.isSigned(by: key) {
            let entries = try connection.query(
                "SELECT entry, bytes FROM leaf WHERE instr(bytes, ?) > 0 ORDER BY entry DESC LIMIT 20", [Trail.mark(of: .recovered)]
            ) { ($0.integer(0) ?? -1, $0.blob(1) ?? []) }
            for (entry, bytes) in entries {
                guard let leaf = try? Leaf(stored: bytes), case .array(let accepted)? = leaf.object["accepted"],
                    let proof = try? InclusionProof(index: entry, size: head.checkpoint.size, stored: { try Trail.hash($0, connection) }),
                    proof.proves(leaf.hash, in: head.checkpoint.root)
                else { continue }
                for case .string(let digest) in accepted { found.insert(digest) }
            }
        }
        digests = found
    }

    func covers(_ problems: [String], count: Int) throws -> Bool {
        // More than are listed cannot be compared, so they are not covered.
        guard count == problems.count, !digests.isEmpty else { return count == 0 }
        return try problems.allSatisfy { digests.contains(try Self.digest($0)) }
    }

    static func digest(_ problem: String) throws -> String {
        String(Machine.hex(try SHA256.digest(Array(problem.utf8))).prefix(16))
    }
}
