import AuditLog
import Glibc

/// Under which name and key the history is signed, and where its checkpoints go.
struct AuditSettings: Sendable {
    let origin: String
    let keyFile: String
    /// The key that must be the log's; nil: whatever key it has.
    let pinned: VerifierKey?
    /// Every checkpoint is appended here, best on another disk, and compared with the history at each start; nil: nowhere.
    let checkpointFile: CheckpointFile?

    init(_ source: SettingsSource, stateDirectory: String) throws(SettingsError) {
        origin = source.text("AUDIT_ORIGIN") ?? "\(Self.hostName())/sync-history"
        guard !origin.isEmpty, origin.utf8.count <= 255, origin.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "+") }) else {
            throw source.error(
                "AUDIT_ORIGIN", "is \"\(origin)\"", fix: "set a name such as sync.example.com/sync-history, without blanks and +")
        }
        keyFile = try source.absolutePath("AUDIT_KEY_FILE") ?? stateDirectory + "/audit.key"
        checkpointFile = try source.absolutePath("AUDIT_CHECKPOINT_FILE").map { CheckpointFile($0) }
        if let text = source.text("AUDIT_VKEY") {
            do { pinned = try VerifierKey(parsing: text) } catch {
                throw source.error("AUDIT_VKEY", "is \(error)", fix: "set what sync-service audit vkey printed")
            }
        } else {
            pinned = nil
        }
    }

    private static func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
