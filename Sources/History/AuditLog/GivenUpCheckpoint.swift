import AuditLog
import JSON
import SQLite

/// A checkpoint outside that an administrator gave up with `audit resume`, as a signed entry `recovered` says.
struct GivenUpCheckpoint {
    let entry: Int64
    private let size: Int64
    private let root: String
    /// Checkpoints before this place in the file belong to what was given up; 0 where the file is another one by now.
    private let end: Int64

    /// Whether this excuses a checkpoint: the one that the entry names, and those of the same lost history, which stand before the
    /// end that the file had then. What this history signed since stands behind that end. A copy of an old checkpoint that is
    /// appended later is not excused.
    func covers(_ checkpoint: Checkpoint, at offset: Int64) -> Bool {
        guard checkpoint.size <= size else { return false }
        return offset < end || (checkpoint.size == size && checkpoint.root.description == root)
    }

    /// How many entries are looked at.
    private static let most = 100

    /// The newest ones that are proven to be under the newest signature. Without the proof, anybody could write such an entry.
    static func all(in reader: HistoryReader, _ file: CheckpointFile, keys: [VerifierKey]) throws -> [GivenUpCheckpoint] {
        guard let head = try reader.read({ try StoredLog.head($0) }), try keys.contains(where: { try head.isSigned(by: $0) }) else { return [] }
        return try reader.entries(of: .recovered, before: head.checkpoint.size, limit: most).entries.compactMap { entry, bytes in
            guard let leaf = try? Leaf(stored: bytes), let fields = leaf.object["given_up"],
                case .integer(let size)? = fields["size"], case .string(let root)? = fields["root"],
                case .integer(let offset)? = fields["offset"], case .integer(let end)? = fields["file_size"]
            else { return nil }
            let isProven = try reader.read { connection in
                let proof = try InclusionProof(index: entry, size: head.checkpoint.size) { try StoredLog.hash($0, connection) }
                return proof.proves(leaf.hash, in: head.checkpoint.root)
            }
            guard isProven else { return nil }
            return GivenUpCheckpoint(entry: entry, size: size, root: root, end: try file.holds(size, root, at: offset) ? end : 0)
        }
    }
}
