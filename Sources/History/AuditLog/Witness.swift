import AuditLog
import SQLite

/// The checkpoints in ``CheckpointFile`` as far as they speak of this history: signed by one of its keys, and not given up.
struct Witness {
    private let file: CheckpointFile
    private let content: CheckpointFile.Content
    private let keys: [VerifierKey]
    private let reader: HistoryReader
    private var acceptances: [GivenUpCheckpoint]?

    /// How many checkpoints are compared in one transaction.
    private static let comparedAtOnce = 200

    /// What a checkpoint says.
    private struct Claim: Hashable {
        let size: Int64
        let root: Hash
    }

    /// - Parameters:
    ///   - content: read before anything of the database.
    ///   - keys: those that signed this history. Other notes do not count, because others may write into the file.
    init(_ file: CheckpointFile, _ content: CheckpointFile.Content, keys: [VerifierKey], _ reader: HistoryReader) {
        (self.file, self.content, self.keys, self.reader) = (file, content, keys, reader)
    }

    /// The newest checkpoint that this history does not extend; nil where it extends all.
    ///
    /// All are compared, because a history that was rolled back and went on has newer ones that it extends. Equal checkpoints are
    /// compared once. Signatures cost the most, so only those of checkpoints that do not fit are verified.
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
        var remarks = gaveUp.sorted { $0.key < $1.key }.map {
            "entry \($0.key) gave up what \(file.path) holds up to a checkpoint of \($0.value) entries"
        }
        if foreign > 0 { remarks.append("none of this log's keys signed \(foreign) of the checkpoints in \(file.path); they say nothing of it") }
        if checkpoints.isEmpty { remarks.append("\(file.path) holds no checkpoint of this log to compare with") }
        return (checkpoints, remarks + content.remarks)
    }

    private func isSigned(_ element: CheckpointList.Element) throws -> Bool {
        for key in keys where try element.signed.isSigned(by: key) { return true }
        return false
    }

    /// The claims that do not hold, each with the number of entries that the history has.
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
        let known = try acceptances ?? GivenUpCheckpoint.all(in: reader, file, keys: keys)
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
