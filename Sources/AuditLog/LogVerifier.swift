import JSON
import OpenSSL

/// Verifies a log, entry after entry from the first to the last, in memory that does not grow with it.
///
/// It trusts only the expected key and the checkpoints from outside. Without these, a log that was replaced or re-signed as a whole
/// is consistent with itself; ``Report`` says what there was to compare with.
package struct LogVerifier: Sendable {
    private let expectedKey: VerifierKey?
    /// The checkpoints that are not reached yet; the next one is the last.
    private var checkpoints: [SignedCheckpoint]

    private var tree = Tree()
    /// Whether entries are missing whose hashes are missing too. No root can be computed behind them.
    private var isBroken = false
    /// The number of the next entry. Missing entries count.
    private var next: Int64 = 0
    private var lastTime: LeafTime?
    private var genesisKey: VerifierKey?
    private var key: VerifierKey?
    private var expectedKeySeen = false
    private var confirmedSize: Int64 = 0
    private var differs = false
    private var firstStoredDifference: Int64?
    /// A hash over all stored checkpoints that differ.
    private var storedDifferences: Hash?
    private var storedForm = StoredCheckpointForm()
    private var problems = Findings<Problem>()
    private var remarks = Findings<Remark>()

    /// - Parameters:
    ///   - expectedKey: the vkey that was pinned, the log's first or any later one; nil to take the log's word.
    ///   - checkpoints: older ones from outside, of any sizes and in any order.
    package init(expectedKey: VerifierKey? = nil, checkpoints: [SignedCheckpoint] = []) {
        self.expectedKey = expectedKey
        self.checkpoints = checkpoints.sorted { $0.checkpoint.size > $1.checkpoint.size }
    }

    /// Takes the next entry.
    ///
    /// - Parameters:
    ///   - number: the entry's number as stored. Rising; what is left out is missing.
    ///   - bytes: the entry as stored. May be anything.
    ///   - stored: the hashes stored for `Subtree.completed(by: number)`, in that order, nil for one that is not there.
    ///     nil altogether where hashes are not stored with the log: the root still tells whether anything was altered,
    ///     but not where.
    /// - Returns: the entry, for comparing it with what else is stored about it; nil where it is malformed.
    /// - Throws: `OpenSSLError` when the library has no Ed25519 to offer or no memory: nothing was verified.
    @discardableResult
    package mutating func add(
        _ number: Int64, _ bytes: [UInt8], stored: [Hash?]? = nil
    ) throws(OpenSSLError) -> Leaf? {
        let hash = Hash.leaf(bytes)
        guard number >= next, number < Tree.maximumSize else {
            problems.add(.entryOutOfOrder(number), of: hash)
            return nil
        }
        if number > next {
            problems.add(.entriesMissing(next..<number))
            isBroken = true
        }
        next = number + 1

        let leaf = read(number, bytes, hash)
        if let leaf { try follow(leaf, number, hash) } else if number == 0 { problems.add(.genesisMissing, of: hash) }

        let completed =
            isBroken
            ? [StoredHash(subtree: Subtree(level: 0, index: number), hash: hash)]
            : tree.append(hash, goingOnWith: stored ?? [])
        if let stored { compare(completed, with: stored, number) }
        try compareCheckpoints()
        return leaf
    }

    /// How many entries were taken, missing ones among them: the number of the next.
    package var count: Int64 { next }

    /// Goes on over missing entries by the hashes that were stored for them, so that the root still tells whether anything else
    /// was altered.
    ///
    /// - Parameters:
    ///   - number: the next entry that is there.
    ///   - stored: as for `add`, for each of the missing ones; nil in the first place ends it.
    package mutating func skip(to number: Int64, stored: (Int64) throws -> [Hash?]) throws {
        guard number > next, number < Tree.maximumSize else { return }
        problems.add(.entriesMissing(next..<number))
        while next < number, !isBroken {
            let hashes = try stored(next)
            if let hash = hashes.first ?? nil {
                compare(tree.append(hash, goingOnWith: hashes), with: hashes, next)
                next += 1
                try compareCheckpoints()
            } else {
                isBroken = true
            }
        }
        next = number
    }

    /// Compares a checkpoint that lies beside the log with the entries taken so far, all but its signature: millions of
    /// signatures take hours, and of those that lie there only the newest is ever used.
    ///
    /// - Parameters:
    ///   - note: as it is stored.
    ///   - size: the number of entries it is filed under.
    package mutating func compareStored(_ note: [UInt8], filedUnder size: Int64) {
        // What a checkpoint should say is unknown where it covers the beginning of a gap, or stands behind a gap without hashes.
        guard !isBroken, size >= tree.size, let genesisKey else { return }
        if size == tree.size, storedForm.holds(note, origin: genesisKey.name, tree: tree) { return }
        storedDifferences = Hash.node(storedDifferences ?? .empty, Hash.leaf(Array("\(size)\n".utf8) + note + tree.root.bytes))
        if firstStoredDifference == nil { firstStoredDifference = size }
    }

    private mutating func read(_ number: Int64, _ bytes: [UInt8], _ hash: Hash) -> Leaf? {
        do {
            let leaf = try Leaf(stored: bytes)
            if let lastTime, leaf.at < lastTime, leaf.event != Event.clockStepped.rawValue {
                remarks.add(
                    .timeBackwards(entry: number, microseconds: lastTime.microseconds - leaf.at.microseconds))
            }
            lastTime = leaf.at
            return leaf
        } catch {
            problems.add(.entryMalformed(number, error), of: hash)
            return nil
        }
    }

    /// Follows the log's key.
    private mutating func follow(_ leaf: Leaf, _ number: Int64, _ hash: Hash) throws(OpenSSLError) {
        if number == 0 {
            guard leaf.event == Event.genesis.rawValue, let key = KeyChange.verifierKey(in: leaf.object),
                leaf.object["origin"] == .string(key.name)
            else {
                problems.add(.genesisMissing, of: hash)
                return
            }
            genesisKey = key
            use(key)
        } else if leaf.event == Event.genesis.rawValue {
            problems.add(.genesisRepeated(number), of: hash)
        } else if leaf.event == Event.keyChanged.rawValue {
            // Behind a gap the tree that the statement names is not known; the gap is a problem already.
            guard let key, !isBroken, let newKey = try KeyChange.newKey(in: leaf, after: tree, oldKey: key) else {
                problems.add(.keyChangeNotSigned(number), of: hash)
                return
            }
            remarks.add(.keyChanged(entry: number, to: newKey))
            use(newKey)
        }
    }

    private mutating func use(_ key: VerifierKey) {
        self.key = key
        if key == expectedKey { expectedKeySeen = true }
    }

    private mutating func compare(_ completed: [StoredHash], with stored: [Hash?], _ number: Int64) {
        for computed in completed {
            let (level, entries) = (computed.subtree.level, computed.subtree.entries)
            guard level < stored.count, let hash = stored[level] else {
                problems.add(.hashMissing(entries))
                continue
            }
            guard hash != computed.hash else { continue }
            problems.add(level == 0 ? .entryAltered(number) : .hashAltered(entries), of: level == 0 ? computed.hash : hash)
        }
    }

    /// Compares with every checkpoint whose size is reached now.
    private mutating func compareCheckpoints() throws(OpenSSLError) {
        while !isBroken, let checkpoint = checkpoints.last, checkpoint.checkpoint.size <= tree.size {
            checkpoints.removeLast()
            let root = checkpoint.checkpoint.size == 0 ? Hash.empty : tree.root
            if try agrees(checkpoint, with: root) { confirmedSize = checkpoint.checkpoint.size }
        }
    }

    private mutating func agrees(_ signed: SignedCheckpoint, with root: Hash) throws(OpenSSLError) -> Bool {
        let isSigned = try checkSignature(signed)
        let size = signed.checkpoint.size
        guard root == signed.checkpoint.root else {
            // All later ones differ too, so only the first is told.
            if !differs { problems.add(.differs(size: size, agreed: confirmedSize), of: Hash.node(root, signed.checkpoint.root)) }
            differs = true
            return false
        }
        return isSigned
    }

    /// Whether a checkpoint is signed by the key that the log has now. If one that the auditor kept is not, the log was replaced, or
    /// the checkpoint is of another log.
    private mutating func checkSignature(_ signed: SignedCheckpoint) throws(OpenSSLError) -> Bool {
        // Without a genesis there is no key; that is a problem already.
        guard let key else { return false }
        let checkpoint = signed.checkpoint
        if checkpoint.origin != key.name {
            problems.add(.otherOrigin(size: checkpoint.size, origin: checkpoint.origin))
            return false
        }
        if try signed.isSigned(by: key) { return true }
        problems.add(.notSigned(size: checkpoint.size), of: checkpoint.root)
        return false
    }

    /// Ends the verification.
    ///
    /// - Parameter head: the log's own last checkpoint; must cover exactly the entries read. nil where there is none, which the
    ///   caller has to tell.
    /// - Throws: `OpenSSLError` when the library has no Ed25519 to offer or no memory: nothing was verified.
    package consuming func finish(head: SignedCheckpoint?) throws(OpenSSLError) -> Report {
        // The largest says how much is missing at least.
        if let largest = checkpoints.first, largest.checkpoint.size > next {
            problems.add(.cutOff(size: largest.checkpoint.size, found: next))
        }
        if let head, head.checkpoint.size == next, !isBroken {
            _ = try agrees(head, with: tree.root)
        } else if let head {
            let size = head.checkpoint.size
            _ = try checkSignature(head)
            if size > next { problems.add(.cutOff(size: size, found: next)) }
            if size < next { problems.add(.notCovered(size..<next)) }
        }
        if next == 0 { problems.add(.genesisMissing) }
        if isBroken { problems.add(.rootUnknown) }
        // All later ones may differ too: the first says where.
        if let size = firstStoredDifference { problems.add(.storedCheckpointDiffers(size: size), of: storedDifferences) }
        if let expectedKey, let genesisKey, !expectedKeySeen {
            problems.add(.foreignKey(expected: expectedKey, found: genesisKey))
        }
        return Report(
            size: next, root: isBroken ? nil : tree.root, key: key, keyConfirmed: expectedKeySeen,
            confirmedSize: confirmedSize, problems: problems, remarks: remarks)
    }
}
