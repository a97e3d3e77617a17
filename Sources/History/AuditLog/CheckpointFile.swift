import AuditLog
import Diagnostics
import Dispatch
import Glibc
import Linux
import SQLite
import Synchronization

/// `AUDIT_CHECKPOINT_FILE`: every checkpoint, outside the database and best on another disk. A checkpoint that somebody kept
/// makes a rollback or a re-signed history visible.
///
/// The file is somebody else's disk, perhaps a network's, and its content may be anybody's. So all work on it is done on a
/// thread of its own, for which nobody waits longer than ``patience``, and only its end is read.
package final class CheckpointFile: Sendable {
    /// What the end of the file holds.
    package struct Content: Sendable {
        package let path: String
        package let list: CheckpointList
        /// Where the part that was read begins, and the file's size then.
        package let start: Int64
        package let size: Int64

        /// Where a checkpoint begins in the file.
        package func offset(of element: CheckpointList.Element) -> Int64 { start + Int64(element.offset) }
    }

    package let path: String
    private let disk = DispatchQueue(label: "checkpoint-file")
    /// Work that is not done, and whether somebody has waited for it in vain.
    private let queued = Mutex((count: 0, hangs: false))
    private static let mostQueued = 100
    private static let patience: DispatchTimeInterval = .seconds(5)
    /// About two thousand runs.
    private static let readBytes: Int64 = 1 << 20

    package init(_ path: String) { self.path = path }

    /// Appends a note and syncs it. Never a reason for a run to fail, nor to wait for a disk that hangs.
    package func append(_ signed: SignedCheckpoint) {
        let path = path
        do {
            try onDisk { try Self.append(signed.note.encoded, to: path) }
        } catch {
            printToStandardError("sync-service: warning: AUDIT_CHECKPOINT_FILE: \(error); check that the file can be appended to")
        }
    }

    /// The newest checkpoints in the file. To be called before the database is read: what is in the file was committed before, so
    /// a database that is read later holds it.
    ///
    /// - Returns: nil where there is no such file.
    package func read() throws -> Content? {
        let path = path
        return try onDisk { try Self.content(path, most: Self.readBytes) }
    }

    /// Whether the note of this root and size begins at this place in the file, so that places noted earlier still count.
    func holds(_ size: Int64, _ root: String, at offset: Int64) throws -> Bool {
        let path = path
        return try onDisk {
            let file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            guard offset >= 0, try file.facts().kind == .regular else { return false }
            let note = CheckpointList(parsing: try file.read(at: offset, count: SignedNote.maximumBytes)).elements.first
            return note.map { $0.offset == 0 && $0.signed.checkpoint.size == size && $0.signed.checkpoint.root.description == root } ?? false
        }
    }

    /// Reads a file of checkpoints in any form that ``CheckpointList`` knows, its end only where it is long.
    ///
    /// - Throws: where it cannot be read or is no regular file.
    package static func content(_ path: String, most: Int64 = readBytes) throws -> Content? {
        let file: Descriptor
        do { file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) } catch where error.isNoSuchFile { return nil }
        let facts = try file.facts()
        guard facts.kind == .regular else { throw SystemError("read", path, code: EINVAL) }
        let size = max(0, facts.size)
        let start = max(0, size - most)
        let bytes = try file.read(at: start, count: Int(size - start))
        return Content(path: path, list: CheckpointList(parsing: bytes, isCut: start > 0), start: start, size: start + Int64(bytes.count))
    }

    /// Every note begins with an empty line, so that it stands on lines of its own whatever a full disk left before it. One
    /// call writes all of it, so that notes of two processes do not mix.
    private static func append(_ note: [UInt8], to path: String) throws {
        let isNew = (try? Files.facts(path, followLink: false)) == nil
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, mode: 0o644)
        try file.write([UInt8(ascii: "\n")] + note)
        try file.sync()
        if isNew { try Files.syncFolder(of: path) }
    }

    private final class Outcome<Value: Sendable>: Sendable {
        package let value = Mutex<Result<Value, any Error>?>(nil)
        let isThere = DispatchSemaphore(value: 0)
    }

    /// - Throws: what `work` throws, or ``Hanging`` where it takes too long. It is still done then, once the disk answers.
    private func onDisk<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) throws -> Value {
        let hangs = try queued.withLock { queued in
            guard queued.count < Self.mostQueued else { throw Hanging() }
            queued.count += 1
            return queued.hangs
        }
        let outcome = Outcome<Value>()
        disk.async { [self] in
            let result = Result { try work() }
            queued.withLock { $0 = ($0.count - 1, false) }
            outcome.value.withLock { $0 = result }
            outcome.isThere.signal()
        }
        // One has waited in vain already; the next one would too.
        guard !hangs, outcome.isThere.wait(timeout: .now() + Self.patience) == .success, let result = outcome.value.withLock({ $0 }) else {
            queued.withLock { $0.hangs = $0.count > 0 }
            throw Hanging()
        }
        return try result.get()
    }

    struct Hanging: Error, CustomStringConvertible {
        let description = "its disk does not answer"
    }
}
