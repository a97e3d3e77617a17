/// The stored audit log is not the one that the service wrote last.
enum StoredLogError: Error, CustomStringConvertible {
    case edgeMissing(size: Int64)
    case notAsSigned(size: Int64)
    case rolledBack(known: Int64, size: Int64)
    case hashMissing(entries: Range<Int64>)

    var description: String {
        switch self {
        case .notAsSigned(let size):
            "the trail of \(size) entries is not the one this service signed last; run sync-service audit verify, restore a backup, or accept it with sync-service audit resume --reason"
        case .rolledBack(let known, let size):
            "the history was rolled back: this process has seen one of \(known) entries, and this one of \(size) does not extend it; stop the service, put the newer history back, or accept the loss with sync-service audit resume --reason"
        case .edgeMissing(let size): "the trail of \(size) entries has no right edge; run sync-service audit verify"
        case .hashMissing(let entries):
            "the trail's hash over entries \(entries.lowerBound) to \(entries.upperBound - 1) is missing; run sync-service audit verify"
        }
    }
}
