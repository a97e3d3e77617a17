/// What a verification found wrong: the log is not what the service wrote, or not all of it. Entries are counted from 0.
package enum Problem: Sendable, Equatable, CustomStringConvertible {
    /// Entries are missing from this number to before that one.
    case entriesMissing(Range<Int64>)
    /// An entry's number comes a second time or out of order.
    case entryOutOfOrder(Int64)
    /// An entry does not hash to what was stored when it was written.
    case entryAltered(Int64)
    /// An entry is not in the form in which the service writes it.
    case entryMalformed(Int64, LeafError)
    /// A stored hash over these entries is not the one that they give.
    case hashAltered(Range<Int64>)
    /// A stored hash over these entries is missing.
    case hashMissing(Range<Int64>)
    /// Entry 0 is not a `genesis` with origin and vkey.
    case genesisMissing
    /// A second `genesis`.
    case genesisRepeated(Int64)
    /// A `key_changed` that the old key did not sign for this place.
    case keyChangeNotSigned(Int64)
    /// The key that was expected is neither the log's first nor one that it changed to.
    case foreignKey(expected: VerifierKey, found: VerifierKey)
    /// A checkpoint is of another log.
    case otherOrigin(size: Int64, origin: String)
    /// A checkpoint is not signed by the key the log had at that size.
    case notSigned(size: Int64)
    /// The log is shorter than a checkpoint says.
    case cutOff(size: Int64, found: Int64)
    /// There are entries behind those that the log's own last checkpoint covers.
    case notCovered(Range<Int64>)
    /// A checkpoint that is stored with the log, under this size, is not of its entries or not in the form the service writes.
    case storedCheckpointDiffers(size: Int64)
    /// Entries and their hashes are missing, so that nothing tells whether what is behind them was altered.
    case rootUnknown
    /// The entries before `size` give another root than a checkpoint has; they agreed with one of `agreed` entries.
    case differs(size: Int64, agreed: Int64)

    /// The first entry concerned, as far as that can be told.
    package var entry: Int64? {
        switch self {
        case .entriesMissing(let range), .hashAltered(let range), .hashMissing(let range), .notCovered(let range):
            range.lowerBound
        case .entryOutOfOrder(let entry), .entryAltered(let entry), .entryMalformed(let entry, _),
            .genesisRepeated(let entry), .keyChangeNotSigned(let entry):
            entry
        case .genesisMissing: 0
        case .cutOff(_, let found): found
        case .foreignKey, .otherOrigin, .notSigned, .differs, .storedCheckpointDiffers, .rootUnknown: nil
        }
    }

    package var description: String {
        switch self {
        case .entriesMissing(let range): "\(Self.name(range)) missing"
        case .entryOutOfOrder(let entry): "entry \(entry) is there twice or out of order"
        case .entryAltered(let entry): "entry \(entry) was altered: it does not have the hash stored with it"
        case .entryMalformed(let entry, let error): "entry \(entry) was not written by this service: \(error)"
        case .hashAltered(let range): "the hash stored over \(Self.name(range)) is not the one they give"
        case .hashMissing(let range): "the hash stored over \(Self.name(range)) is missing"
        case .genesisMissing: "entry 0 is not the log's beginning with origin and verifier key"
        case .genesisRepeated(let entry): "entry \(entry) claims to be the log's beginning"
        case .keyChangeNotSigned(let entry):
            "the change of key in entry \(entry) is not signed by the old key for this place"
        case .foreignKey(let expected, let found): "the log belongs to the key \(found), expected is \(expected)"
        case .otherOrigin(let size, let origin): "the checkpoint of \(size) entries is of another log, \(origin)"
        case .notSigned(let size): "the checkpoint of \(size) entries is not signed by the key of this log"
        case .cutOff(let size, let found):
            "a checkpoint has \(size) entries, the log \(found): it was cut off before entry \(size)"
        case .notCovered(let range): "\(Self.name(range)) behind the log's last checkpoint, signed by nobody"
        case .storedCheckpointDiffers(let size):
            "the checkpoint stored under \(size) entries is not the one signed over them"
        case .rootUnknown: "entries and their hashes are missing: whether what is behind them was altered cannot be told"
        case .differs(let size, let agreed):
            "the log differs before entry \(size) from what was signed"
                + (agreed > 0 ? "; up to entry \(agreed - 1) it agrees with an older checkpoint" : "")
        }
    }

    private static func name(_ range: Range<Int64>) -> String {
        range.count == 1 ? "entry \(range.lowerBound)" : "entries \(range.lowerBound) to \(range.upperBound - 1)"
    }
}

/// What a verification noticed that is no sign of tampering by itself.
package enum Remark: Sendable, Equatable, CustomStringConvertible {
    /// An entry is older than the one before it, and is no `clock_stepped` that says so.
    case timeBackwards(entry: Int64, microseconds: Int64)
    /// The log went over to another key.
    case keyChanged(entry: Int64, to: VerifierKey)

    package var description: String {
        switch self {
        case .timeBackwards(let entry, let microseconds):
            "entry \(entry) is \(microseconds) microseconds older than the one before it"
        case .keyChanged(let entry, let key): "entry \(entry) changes the key to \(key)"
        }
    }
}

/// Findings in the order in which they were made. Only the first hundred are kept, because a wrecked log must not
/// fill the verifier's memory.
package struct Findings<Finding: Sendable & Equatable>: Sendable, Equatable {
    package private(set) var first: [Finding] = []
    /// For each of `first` the hash of what was found there, as far as its description does not say it; nil where nothing was. Two
    /// findings of the same words are about the same content only if these are the same.
    package private(set) var hashes: [Hash?] = []
    /// All of them.
    package private(set) var count = 0

    private static var limit: Int { 100 }

    mutating func add(_ finding: Finding, of hash: Hash? = nil) {
        count += 1
        guard first.count < Self.limit else { return }
        first.append(finding)
        hashes.append(hash)
    }
}
