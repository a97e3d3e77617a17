import AuditLog
import Diagnostics
import Glibc
import Linux

/// `AUDIT_CHECKPOINT_FILE`: every checkpoint, outside the database and best on another disk. A checkpoint that was kept makes a
/// rollback or a re-signed history visible.
///
/// The file may lie on a network disk, and others may write into it. So all work on it is done by a ``BoundedDisk``, and only its
/// end is read.
package final class CheckpointFile: Sendable {
    package let path: String
    private let disk = BoundedDisk()
    /// About two thousand runs.
    private static let readBytes: Int64 = 1 << 20

    package init(_ path: String) { self.path = path }

    /// Appends a note and syncs it. A failure is only logged, because no run may fail or wait for it.
    package func append(_ signed: SignedCheckpoint) {
        let path = path
        do {
            try disk.run { try Self.append(signed.note.encoded, to: path) }
        } catch {
            printToStandardError("sync-service: warning: AUDIT_CHECKPOINT_FILE: \(error); check that the file can be appended to")
        }
    }

    /// The newest checkpoints in the file. Call this before you read the database: what is in the file was committed before, so a
    /// database that is read later has it.
    ///
    /// - Returns: nil where there is no such file.
    package func read() throws -> Content? {
        let path = path
        return try disk.run { try Self.content(path, most: Self.readBytes) }
    }

    /// Whether the note of this root and size begins at this place in the file. If so, places that were noted earlier still count.
    func holds(_ size: Int64, _ root: String, at offset: Int64) throws -> Bool {
        let path = path
        return try disk.run {
            let file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            guard offset >= 0, try file.facts().kind == .regular else { return false }
            let note = CheckpointList(parsing: try file.read(at: offset, count: SignedNote.maximumBytes)).elements.first
            return note.map { $0.offset == 0 && $0.signed.checkpoint.size == size && $0.signed.checkpoint.root.description == root } ?? false
        }
    }

    /// Reads a file of checkpoints in any form that ``CheckpointList`` knows. Of a long file it reads the end.
    ///
    /// - Throws: where it cannot be read or is no regular file.
    package static func content(_ path: String, most: Int64 = readBytes) throws -> Content? {
        let file: Descriptor
        do { file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) } catch  where error.isNoSuchFile { return nil }
        let facts = try file.facts()
        guard facts.kind == .regular else { throw SystemError("read", path, code: EINVAL) }
        let size = max(0, facts.size)
        let start = max(0, size - most)
        let bytes = try file.read(at: start, count: Int(size - start))
        return Content(path: path, list: CheckpointList(parsing: bytes, isCut: start > 0), start: start, size: start + Int64(bytes.count))
    }

    /// Every note begins with an empty line, because a full disk may have left an unfinished line before it. One call writes all of
    /// it, so that notes of two processes do not mix.
    private static func append(_ note: [UInt8], to path: String) throws {
        let isNew = (try? Files.facts(path, followLink: false)) == nil
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, mode: 0o644)
        try file.write([UInt8(ascii: "\n")] + note)
        try file.sync()
        if isNew { try Files.syncFolder(of: path) }
    }
}
