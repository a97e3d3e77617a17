import AuditLog
import Encoding
import Glibc
import Linux
import OpenSSL
import SQLite

/// The audit log as files that any verifier of the tlog-tiles format reads (c2sp.org/tlog-tiles), and the outputs under
/// their digests.
package struct AuditExport {
    private let reader: HistoryReader
    private let folder: String

    /// - Parameter folder: a path at which nothing exists yet.
    package init(of reader: HistoryReader, into folder: String) {
        self.reader = reader
        self.folder = folder
    }

    /// Makes the folder and writes everything. Blocks.
    /// - Returns: the number of entries and of files with outputs; equal outputs share one.
    /// - Throws: ``HistoryError``; the folder keeps what was written before.
    package func write() throws(HistoryError) -> (entries: Int64, outputs: Int) {
        guard let head = try reader.newestCheckpoint() else { throw HistoryError("there is nothing to export yet") }
        guard mkdir(folder, 0o755) == 0 else {
            throw HistoryError("\(SystemError("mkdir", folder)); name a folder that does not exist")
        }
        do {
            for tile in Tile.all(forSize: head.checkpoint.size) {
                let bytes = try reader.read { connection in try Self.content(tile, connection) }
                try write(bytes, to: tile.path)
            }
            let outputs = try writeOutputs()
            // The checkpoint comes last, so that everything it covers is there.
            try write(head.note.encoded, to: "checkpoint")
            return (head.checkpoint.size, outputs)
        } catch {
            throw HistoryError(folder, error)
        }
    }

    private static func content(_ tile: Tile, _ connection: Connection) throws -> [UInt8] {
        guard case .entries = tile.content else { return try tile.subtrees.flatMap { try StoredLog.hash($0, connection).bytes } }
        let entries = try connection.query(
            "SELECT bytes FROM leaf WHERE entry >= ? AND entry < ? ORDER BY entry",
            [.integer(tile.indexes.lowerBound), .integer(tile.indexes.upperBound)]
        ) { $0.blob(0) ?? [] }
        guard entries.count == Int(tile.width), let bytes = Tile.bundle(entries) else {
            throw HistoryError("entries \(tile.indexes.lowerBound) to \(tile.indexes.upperBound - 1) are not whole; run sync-service audit verify")
        }
        return bytes
    }

    private func writeOutputs() throws -> Int {
        var written: Set<String> = []
        var last: Int64 = 0
        while true {
            let after = last
            let runs = try reader.shortRead { connection in
                try connection.query(
                    "SELECT id FROM run_output WHERE id > ? ORDER BY id LIMIT ?", [.integer(after), .integer(HistoryReader.rowsPerRead)]
                ) { $0.integer(0) ?? 0 }
            }
            guard let newest = runs.last, newest > after else { break }
            for run in runs {
                let bytes = try reader.read { connection in
                    try connection.first("SELECT bytes FROM run_output WHERE id = ?", [.integer(run)]) { $0.blob(0) ?? [] } ?? []
                }
                let digest = Hex.text(try SHA256.digest(bytes))
                if written.insert(digest).inserted { try write(bytes, to: "outputs/\(digest)") }
            }
            last = newest
        }
        return written.count
    }

    private func write(_ bytes: [UInt8], to path: String) throws(SystemError) {
        let target = "\(folder)/\(path)"
        for parent in Files.ancestors(of: Files.folder(of: target)).reversed() where parent.utf8.count > folder.utf8.count {
            if mkdir(parent, 0o755) != 0 && errno != EEXIST { throw SystemError("mkdir", parent) }
        }
        try Descriptor.open(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o644).write(bytes)
    }
}
