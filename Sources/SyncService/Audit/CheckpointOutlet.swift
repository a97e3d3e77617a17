import AuditLog
import Glibc
import Linux
import Logging

/// Lets checkpoints leave the machine's database: a file on another mount. The log line and the response header of a
/// run do the same in other ways. A checkpoint somebody kept is what makes a rollback or a re-signed history visible.
struct CheckpointOutlet: Sendable {
    let file: String?

    /// Appends the checkpoint's note and an empty line. Never a reason for a run to fail.
    func publish(_ checkpoint: SignedCheckpoint) {
        guard let file else { return }
        do {
            let descriptor = try Descriptor.open(file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, mode: 0o644)
            try descriptor.write(checkpoint.note.encoded + [UInt8(ascii: "\n")])
        } catch {
            tell("sync-service: warning: AUDIT_CHECKPOINT_FILE: \(error); check that the file can be appended to")
        }
    }
}
