import Foundation
import JSON
import Testing

@testable import AuditLog

/// Writes exported logs into .build/audit-sample, where the verifiers that others wrote find them (Tests/Verifiers).
@Suite struct SampleExportTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../.build/audit-sample").standardizedFileURL

    @Test func samplesForOthersVerifiers() throws {
        try? FileManager.default.removeItem(at: Self.folder)
        var plain = try TestLog(entries: 590)
        let hostile = ["a\r\nb", "\"", "\0", "\u{1B}[2J", "é😀", String(repeating: "x", count: 65536)]
        for user in hostile { try plain.append(.authFailed, [JSONValue.Member("user", .string(user))]) }
        while plain.leaves.count < 600 { try plain.appendRun() }
        try write(plain, "plain", older: plain.checkpoint(at: 259), receipts: [0, 300, 595, 599])

        // What was kept of the plain log does not fit these three.
        try write(TestLog(entries: 250), "cut-off", older: plain.checkpoint(at: 259), receipts: [])
        var anew = try TestLog(entries: 100)
        for leaf in plain.leaves[100...] {
            let user = anew.leaves.count == 100 ? "eva" : "ana"
            try anew.append(Array(String(decoding: leaf, as: UTF8.self).replacing("ana", with: user).utf8))
        }
        try write(anew, "signed-anew", older: plain.checkpoint(at: 259), receipts: [])
        try write(TestLog(entries: 600, seed: 9), "replaced", older: plain.checkpoint(at: 259), receipts: [])

        let (old, new) = (try TestLog.signer(1), try TestLog.signer(2))
        var rotated = try TestLog(entries: 270, signer: old)
        try rotated.append(
            .keyChanged, KeyChange.fields(to: new.verifierKey, after: rotated.tree, signedBy: old), signedBy: new)
        for _ in 0..<40 { try rotated.appendRun(signedBy: new) }
        try write(rotated, "rotated", older: rotated.checkpoint(at: 200), receipts: [270, 300], key: new.verifierKey)
    }

    private func write(
        _ log: TestLog, _ name: String, older: SignedCheckpoint, receipts: [Int64], key: VerifierKey? = nil
    ) throws {
        func write(_ bytes: [UInt8], _ path: String) throws {
            let file = Self.folder.appendingPathComponent("\(name)/\(path)")
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(bytes).write(to: file)
        }
        try write(log.head.note.encoded, "log/checkpoint")
        for tile in Tile.all(forSize: log.tree.size) {
            switch tile.content {
            case .entries:
                let entries = tile.indexes.map { log.leaves[Int($0)] }
                try write(#require(Tile.bundle(entries)), "log/\(tile.path)")
            case .hashes:
                try write(tile.subtrees.flatMap { try log.stored($0).bytes }, "log/\(tile.path)")
            }
        }
        try write(older.note.encoded, "older-checkpoint")
        try write(Array("\(log.signer.verifierKey)".utf8), "vkey")
        try write(Array("\(key ?? log.signer.verifierKey)".utf8), "vkey-now")
        for index in receipts { try write(log.receipt(index).encoded, "receipts/\(index).tlog-proof") }
    }
}
