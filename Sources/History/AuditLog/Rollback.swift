import AuditLog
import JSON
import SQLite

/// A signed checkpoint outside that this history does not extend: an older history, or another one, was put in its place.
package struct Rollback: Sendable, CustomStringConvertible {
    let path: String
    let size: Int64
    let root: String
    /// Where the checkpoint begins in the file, and how long the file is.
    let offset: Int64
    let fileSize: Int64
    /// How many entries this history has.
    let found: Int64

    package var description: String {
        let what = size > found ? "this history has \(found)" : "this history does not extend it"
        return "the history was rolled back: \(path) holds a checkpoint of \(size) entries, and \(what); put the newer history back, or accept the loss with sync-service audit resume --reason"
    }

    /// For the entry `recovered`, which gives this checkpoint up.
    var members: [JSONValue.Member] {
        [.init("file_size", .integer(fileSize)), .init("offset", .integer(offset)), .init("root", .string(root)), .init("size", .integer(size))]
    }
}

/// The checkpoints in ``CheckpointFile`` as far as they speak of this history: signed by one of its keys, and not given up.
struct Witness {
    private let file: CheckpointFile
    private let content: CheckpointFile.Content
    private let keys: [VerifierKey]
    private let reader: HistoryReader
    private var acceptances: [GivenUp]?

    /// So many checkpoints are compared in one transaction.
    private static let comparedAtOnce = 200

    /// What a checkpoint says.
    private struct Claim: Hashable {
        let size: Int64
        let root: Hash
    }

    /// - Parameters:
    ///   - content: read before anything of the database.
    ///   - keys: those that signed this history. Nobody else's note counts, because anybody may write into the file.
    init(_ file: CheckpointFile, _ content: CheckpointFile.Content, keys: [VerifierKey], _ reader: HistoryReader) {
        (self.file, self.content, self.keys, self.reader) = (file, content, keys, reader)
    }

    /// Why this history is not the newest one; nil when it extends what is in the file.
    ///
    /// All are compared, since a history that was rolled back and went on leaves newer ones that it extends; each claim once,
    /// however often somebody appended it. Signatures cost the most: only those of checkpoints that do not fit are looked at.
    mutating func rollback() throws -> Rollback? {
        let claims = Dictionary(grouping: content.list.elements) { Claim(size: $0.signed.checkpoint.size, root: $0.signed.checkpoint.root) }
        var rest = claims.keys.sorted { $0.size > $1.size }[...]
        while !rest.isEmpty {
            for (claim, found) in try contradicted(rest.prefix(Self.comparedAtOnce)) {
                // Of notes that say the same only one may be signed.
                for element in claims[claim] ?? [] {
                    // Only a rollback makes it look for the entries that gave up an earlier one.
                    if acceptances != nil, try isGivenUp(element) != nil { continue }
                    guard try isSigned(element), try isGivenUp(element) == nil else { continue }
                    return Rollback(
                        path: file.path, size: claim.size, root: claim.root.description, offset: content.offset(of: element),
                        fileSize: content.size, found: found)
                }
            }
            rest = rest.dropFirst(Self.comparedAtOnce)
        }
        return nil
    }

    /// What a verification compares with, and what is to be said of the rest.
    mutating func forVerification() throws -> (checkpoints: [SignedCheckpoint], remarks: [String]) {
        var checkpoints: [SignedCheckpoint] = []
        var foreign = 0
        var gaveUp: [Int64: Int64] = [:]
        for element in content.list.elements {
            let size = element.signed.checkpoint.size
            if let entry = try isGivenUp(element) {
                gaveUp[entry] = max(size, gaveUp[entry] ?? 0)
            } else if try isSigned(element) {
                checkpoints.append(element.signed)
            } else {
                foreign += 1
            }
        }
        var remarks = gaveUp.sorted { $0.key < $1.key }.map { "entry \($0.key) gave up what \(file.path) holds up to a checkpoint of \($0.value) entries" }
        if foreign > 0 { remarks.append("none of this log's keys signed \(foreign) of the checkpoints in \(file.path); they say nothing of it") }
        if checkpoints.isEmpty { remarks.append("\(file.path) holds no checkpoint of this log to compare with") }
        return (checkpoints, remarks + content.remarks)
    }

    private func isSigned(_ element: CheckpointList.Element) throws -> Bool {
        for key in keys where try element.signed.isSigned(by: key) { return true }
        return false
    }

    /// The claims that do not hold, and how many entries the history has.
    private func contradicted(_ claims: ArraySlice<Claim>) throws -> [(claim: Claim, found: Int64)] {
        try reader.read { connection in
            let size = try StoredLog.entryCount(connection)
            return try claims.filter { claim in
                guard claim.size <= size else { return true }
                // Missing hashes are damage, which is found and named elsewhere; here they prove nothing.
                do { return try StoredLog.tree(connection, size: claim.size).root != claim.root } catch is StoredLogError { return true }
            }.map { ($0, size) }
        }
    }

    /// The entry that gave this checkpoint up.
    private mutating func isGivenUp(_ element: CheckpointList.Element) throws -> Int64? {
        let known = try acceptances ?? GivenUp.all(in: reader, file, keys: keys)
        acceptances = known
        let checkpoint = element.signed.checkpoint
        return known.first { $0.covers(checkpoint, at: content.offset(of: element)) }?.entry
    }
}

extension CheckpointFile {
    /// What a verification of a history compares it with, and what is to be said of the rest of the file. Made before the
    /// verification begins, so that the history holds all that the file does.
    package func evidence(for reader: HistoryReader) throws -> (checkpoints: [SignedCheckpoint], remarks: [String]) {
        guard let content = try read() else { return ([], ["\(path) is missing"]) }
        let keys = try reader.logKeys()
        var witness = Witness(self, content, keys: keys, reader)
        return try witness.forVerification()
    }
}

extension CheckpointFile.Content {
    /// What of the file could not be used.
    package var remarks: [String] {
        var remarks: [String] = []
        if list.tornCount > 0 { remarks.append("torn checkpoints passed over in \(path): \(list.tornCount)") }
        if start > 0 { remarks.append("only the last \(size - start) bytes of \(path) were read") }
        return remarks
    }
}

/// What an administrator gave up with `audit resume`, as a signed entry `recovered` says.
private struct GivenUp {
    package let entry: Int64
    private let size: Int64
    private let root: String
    /// Checkpoints before this place in the file belong to what was given up; 0 where the file is another one by now.
    private let end: Int64

    /// A checkpoint that is named, and those of the same lost history: they stand before the end that the file had then. What
    /// this history signed since stands behind it. A copy of an old checkpoint that somebody appends later is not excused.
    func covers(_ checkpoint: Checkpoint, at offset: Int64) -> Bool {
        guard checkpoint.size <= size else { return false }
        return offset < end || (checkpoint.size == size && checkpoint.root.description == root)
    }

    private static let most = 100

    /// The newest ones that are proven to be under the newest signature: an entry alone anybody can write.
    package static func all(in reader: HistoryReader, _ file: CheckpointFile, keys: [VerifierKey]) throws -> [GivenUp] {
        guard let head = try reader.read({ try StoredLog.head($0) }), try keys.contains(where: { try head.isSigned(by: $0) }) else { return [] }
        return try reader.entries(of: .recovered, before: head.checkpoint.size, limit: most).compactMap { entry, bytes in
            guard let leaf = try? Leaf(stored: bytes), let fields = leaf.object["given_up"],
                case .integer(let size)? = fields["size"], case .string(let root)? = fields["root"],
                case .integer(let offset)? = fields["offset"], case .integer(let end)? = fields["file_size"]
            else { return nil }
            let isProven = try reader.read { connection in
                let proof = try InclusionProof(index: entry, size: head.checkpoint.size) { try StoredLog.hash($0, connection) }
                return proof.proves(leaf.hash, in: head.checkpoint.root)
            }
            guard isProven else { return nil }
            return GivenUp(entry: entry, size: size, root: root, end: try file.holds(size, root, at: offset) ? end : 0)
        }
    }
}
