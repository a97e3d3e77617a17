import AuditLog
import Diagnostics
import Glibc
import History

extension AuditSettings {
    init(_ source: SettingsSource, stateDirectory: String) throws(SettingsError) {
        let origin = try source.value(\.auditOrigin) ?? "\(Self.hostName())/sync-history"
        guard Self.isOrigin(origin) else {
            throw source.error(
                \.auditOrigin, "is \"\(origin)\"", fix: "set a name such as sync.example.com/sync-history, without blanks and +")
        }
        self.init(
            origin: origin, keyFile: try source.value(\.auditKeyFile) ?? stateDirectory + "/audit.key",
            pinned: try source.value(\.pinnedKey), checkpointFile: try source.value(\.checkpointFile).map { CheckpointFile($0) })
    }

    /// What the first line of a checkpoint and the name of a verifier key can hold.
    private static func isOrigin(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 255 && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "+") }
    }

    private static func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
