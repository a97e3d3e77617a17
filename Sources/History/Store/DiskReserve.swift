import Glibc
import Linux

/// Room on the disk for the end of a run. The store gives it up if the disk is full when a run ends. While the room cannot be
/// taken, no run starts.
package struct DiskReserve: Sendable {
    private let path: String
    private let bytes: Int64

    /// - Parameter outputLimit: the most bytes of one stored output.
    package init(in stateDirectory: String, outputLimit: Int64) {
        path = stateDirectory + "/reserve"
        bytes = Self.bytes(outputLimit: outputLimit)
    }

    /// What the start of a run and a few events may need, twice because the journal holds their pages once more.
    package static let startBytes: Int64 = 512 << 10

    /// What the end of a run may need: its output in the database and, at worst, once more in the journal.
    package static func bytes(outputLimit: Int64) -> Int64 { 2 * outputLimit + (2 << 20) }

    /// Takes the room, if it is not held yet.
    func hold() throws(SystemError) {
        if let facts = try? Files.facts(path, followLink: false), facts.kind == .regular, facts.size >= bytes { return }
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o600)
        do { try file.reserve(bytes) } catch {
            // A partial reserve is useless and takes room from others.
            try? Files.removeIfPresent(path)
            throw error
        }
    }

    /// Gives the room up.
    func release() { try? Files.removeIfPresent(path) }
}
