import AuditLog
import Diagnostics
import Glibc
import History

extension AuditSettings {
    init(_ source: SettingsSource, stateDirectory: String) throws(SettingsError) {
        let origin = source.text("AUDIT_ORIGIN") ?? "\(Self.hostName())/sync-history"
        guard !origin.isEmpty, origin.utf8.count <= 255, origin.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "+") }) else {
            throw source.error(
                "AUDIT_ORIGIN", "is \"\(origin)\"", fix: "set a name such as sync.example.com/sync-history, without blanks and +")
        }
        self.init(
            origin: origin, keyFile: try source.absolutePath("AUDIT_KEY_FILE") ?? stateDirectory + "/audit.key",
            pinned: try Self.pinned(source), checkpointFile: try source.absolutePath("AUDIT_CHECKPOINT_FILE").map { CheckpointFile($0) })
    }

    private static func pinned(_ source: SettingsSource) throws(SettingsError) -> VerifierKey? {
        guard let text = source.text("AUDIT_VKEY") else { return nil }
        do { return try VerifierKey(parsing: text) } catch {
            throw source.error("AUDIT_VKEY", "is \(error)", fix: "set what sync-service audit vkey printed")
        }
    }

    private static func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
