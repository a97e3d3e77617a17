import Linux
import RunProtocol

/// The script's output. It counts and digests all of it and keeps a part in the spool. If the spool cannot be written, it
/// remembers why; the script runs on.
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

    /// Brings the kept part to the disk. Call it once, as the last call.
    /// - Returns: count and digest of all output, and why the kept part is not complete.
    mutating func finish() -> (total: Int64, digest: String, failure: String?) {
        do { try spool.sync() } catch { failure = failure ?? "\(error)" }
        return (total, digest.finish(), failure)
    }
}
