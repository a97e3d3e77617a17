import Glibc
import Linux

/// Room on the disk that is given up when the end of a run cannot be recorded for want of it. While it cannot be kept,
/// no run starts.
package struct DiskReserve: Sendable {
    private let path: String
    private let bytes: Int64

    /// - Parameter outputLimit: what one record may need, beside its pages and its journal.
    package init(in stateDirectory: String, outputLimit: Int64) {
        path = stateDirectory + "/reserve"
        bytes = Self.bytes(outputLimit: outputLimit)
    }

    /// What the start of a run and a few events may need: their pages, and their pages once more in the journal.
    package static let startBytes: Int64 = 512 << 10

    /// The output once in the database and, at worst, once more in the journal's pages.
    package static func bytes(outputLimit: Int64) -> Int64 { 2 * outputLimit + (2 << 20) }

    /// Takes the room where it is not held yet.
    func hold() throws(SystemError) {
        if let facts = try? Files.facts(path, followLink: false), facts.kind == .regular, facts.size >= bytes { return }
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o600)
        do { try file.reserve(bytes) } catch {
            // Half a reserve would look like a whole one to nobody, and take room from those who need it.
            try? Files.removeIfPresent(path)
            throw error
        }
    }

    func release() { try? Files.removeIfPresent(path) }
}
