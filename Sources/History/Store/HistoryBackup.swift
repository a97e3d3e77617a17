import Glibc
import Linux
import SQLite

/// Copies the history into a new file while others use it.
package enum HistoryBackup {
    /// - Parameters:
    ///   - path: the history.
    ///   - file: the copy, which must not exist. If copying fails, nothing is left there.
    package static func copy(_ path: String, to file: String) throws(HistoryError) {
        do {
            try copyPages(path, file)
            // The copy and its name must be on the disk before this returns.
            try Descriptor.open(file, O_RDONLY | O_NOFOLLOW).sync()
            try Files.syncFolder(of: file)
        } catch {
            for left in [file, file + "-journal"] { try? Files.removeIfPresent(left) }
            throw HistoryError(path, error)
        }
    }

    private static func copyPages(_ path: String, _ file: String) throws {
        let source = try Connection(path: path, mode: .readOnly, busyTimeoutMilliseconds: HistoryStore.writerPatienceMilliseconds)
        let target = try Connection(path: file, mode: .create)
        defer { target.close() }
        // A partial copy is useless, so its steps do not wait for the disk. They keep writers out meanwhile.
        try target.execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")
        try source.backUp(to: target)
        let problem = try target.first("PRAGMA integrity_check") { $0.text(0) ?? "" }
        guard problem == "ok" else { throw HistoryError("the copy \(file) is damaged: \(problem ?? "")") }
    }
}
