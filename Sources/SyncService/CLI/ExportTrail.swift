import ArgumentParser
import AuditLog
import Glibc
import JSON
import Linux
import OpenSSL
import SQLite

/// `audit export`: the log as files that any verifier of the tlog-tiles format reads (c2sp.org/tlog-tiles), and the
/// outputs under their digests.
struct ExportTrail: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write the log as tiles into a new folder, with the outputs beside.")

    @OptionGroup var common: CommonOptions
    @Argument(help: "The folder to make; it must not exist.") var folder: String

    func run() throws {
        let settings = try common.settings()
        try Caller.becomeOwner(of: settings.stateDirectory)
        let history = try settings.openHistory()
        try history.record([AuditEvent(.historyExported, by: Caller.actor(), [.init("target", .string("tiles"))])])
        guard let head = try history.reader.read({ try Trail.head($0) }) else { throw CommandError("there is nothing to export yet") }
        guard mkdir(folder, 0o755) == 0 else { throw CommandError("\(SystemError("mkdir", folder)); name a folder that does not exist") }

        for tile in Tile.all(forSize: head.checkpoint.size) {
            let bytes = try history.reader.read { connection in try Self.content(tile, connection) }
            try write(bytes, to: tile.path)
        }
        let outputs = try exportOutputs(history.reader)
        // The checkpoint last: who finds it finds all that it covers.
        try write(head.note.encoded, to: "checkpoint")
        print("\(folder): \(head.checkpoint.size) entries, \(outputs) outputs, vkey \(history.trail.signer.verifierKey)")
    }

    private static func content(_ tile: Tile, _ connection: Connection) throws -> [UInt8] {
        guard case .entries = tile.content else { return try tile.subtrees.flatMap { try Trail.hash($0, connection).bytes } }
        let entries = try connection.query(
            "SELECT bytes FROM leaf WHERE entry >= ? AND entry < ? ORDER BY entry",
            [.integer(tile.indexes.lowerBound), .integer(tile.indexes.upperBound)]
        ) { $0.blob(0) ?? [] }
        guard entries.count == Int(tile.width), let bytes = Tile.bundle(entries) else {
            throw CommandError("entries \(tile.indexes.lowerBound) to \(tile.indexes.upperBound - 1) are not whole; run sync-service audit verify")
        }
        return bytes
    }

    /// - Returns: how many files were written; equal outputs share one.
    private func exportOutputs(_ reader: HistoryReader) throws -> Int {
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
                let digest = Machine.hex(try SHA256.digest(bytes))
                if written.insert(digest).inserted { try write(bytes, to: "outputs/\(digest)") }
            }
            last = newest
        }
        return written.count
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let target = "\(folder)/\(path)"
        for parent in Files.ancestors(of: Files.folder(of: target)).reversed() where parent.utf8.count > folder.utf8.count {
            if mkdir(parent, 0o755) != 0 && errno != EEXIST { throw SystemError("mkdir", parent) }
        }
        try Descriptor.open(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o644).write(bytes)
    }
}
