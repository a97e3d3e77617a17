import Glibc
import Linux
import RunProtocol

/// What the script prints: the whole stream counted and digested, the part to be kept in the spool. A spool that cannot
/// be written is remembered and never holds the script up.
struct Output {
    private var spool: OutputSpool
    private var digest = Digest()
    private var total: Int64 = 0
    private var failure: String?

    init(_ spool: OutputSpool) { self.spool = spool }

    mutating func append(_ piece: ArraySlice<UInt8>) {
        total += Int64(piece.count)
        digest.update(piece)
        guard failure == nil else { return }
        do { try spool.append(piece) } catch { failure = "\(error)" }
    }

    /// Brings the kept part to the disk and tells the sums. Nothing may be added afterwards.
    mutating func finish() -> (total: Int64, digest: String, failure: String?) {
        do { try spool.sync() } catch { failure = failure ?? "\(error)" }
        return (total, digest.finish(), failure)
    }
}
