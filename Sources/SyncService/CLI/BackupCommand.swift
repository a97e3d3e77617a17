import ArgumentParser
import AuditLog
import Glibc
import JSON
import Linux
import SQLite

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy the history into a new file, while the service runs.",
        discussion: "To restore: stop the service, put the copy in the history's place with mode 0600, start it again.")

    @OptionGroup var common: CommonOptions
    @Argument(help: "The file to make; it must not exist.") var file: String

    func run() throws {
        let settings = try common.settings()
        try Caller.becomeOwner(of: settings.stateDirectory)
        guard (try? Files.facts(file, followLink: false)) == nil else { throw CommandError("\(file) exists already; name a new file") }
        do {
            try settings.openHistory().record([AuditEvent(.historyExported, by: Caller.actor(), [.init("target", .string("backup"))])])
            try copy(settings.historyPath)
            // The copy is worth something once it is on the disk with its name.
            try Descriptor.open(file, O_RDONLY | O_NOFOLLOW).sync()
            try Files.syncFolder(of: file)
        } catch {
            // What is there is a whole copy or nothing.
            for left in [file, file + "-journal"] { try? Files.removeIfPresent(left) }
            throw HistoryError(settings.historyPath, error)
        }
        print("\(file): a complete copy of \(settings.historyPath)")
    }

    private func copy(_ path: String) throws {
        let source = try Connection(path: path, mode: .readOnly, busyTimeoutMilliseconds: History.writerPatienceMilliseconds)
        let target = try Connection(path: file, mode: .create)
        defer { target.close() }
        // Nothing is lost with half a copy, so the steps need not wait for the disk, least of all while they keep writers out.
        try target.execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")
        try source.backUp(to: target)
        let problem = try target.first("PRAGMA integrity_check") { $0.text(0) ?? "" }
        guard problem == "ok" else { throw CommandError("the copy \(file) is damaged: \(problem ?? "")") }
    }
}
