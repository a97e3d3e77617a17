import Glibc
import Linux
import RunProtocol

/// The script's log file.
///
/// Every client with a token sees what is read here, so a log that is a link (scripts let `latest` point at the newest file)
/// must not lead to a key. The file that was really opened has to lie beside the log or in SYNC_LOG_DIR, outside the state
/// directory, and must not be one of the forbidden files under any name.
enum ScriptLog {
    /// The size of the first piece that is read. Each further piece is twice as large.
    private static let firstPieceBytes: Int64 = 8192

    /// Why a log is not shown.
    private struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    /// Reads the end of the log.
    static func tail(_ request: LogTailRequest) -> LogTail {
        do {
            return .lines(try lastLines(of: try open(request)))
        } catch let error as SystemError {
            return .unreadable("\(error); let user \(Account.own) read the log, and check SYNC_LOG_PATH")
        } catch {
            return .unreadable("\(request.logPath): \(error)")
        }
    }

    private static func open(_ request: LogTailRequest) throws -> Descriptor {
        // O_NONBLOCK, because a FIFO without a writer would block us for ever.
        let file = try Descriptor.open(request.logPath, O_RDONLY | O_NONBLOCK | O_NOCTTY)
        let facts = try file.facts()
        guard facts.kind == .regular else { throw Refusal(description: "not a regular file") }
        // Asks about the open file, not about the path again: a link may have changed in between, and a log that was rotated
        // away has no path any more.
        let real = try Files.linkTarget("/proc/self/fd/\(file.number)")
        let folder = try Files.realPath(Files.folder(of: request.logPath))
        let allowed = try request.logDirectory.map { Files.ancestors(of: real).contains(try Files.realPath($0)) } ?? false
        guard allowed || Files.folder(of: real) == folder else {
            throw Refusal(description: "leads to \(real), outside its folder; set SYNC_LOG_DIR if that is meant")
        }
        let state = try? Files.realPath(request.stateDirectory)
        guard state.map({ !Files.ancestors(of: real).contains($0) }) ?? true else {
            throw Refusal(description: "lies in the state directory, which is never shown; let the script log elsewhere")
        }
        guard !request.forbidden.contains(FileIdentity(device: facts.device, inode: facts.inode)) else {
            throw Refusal(description: "is a settings, secret or key file, which is never shown")
        }
        return file
    }

    /// The last ``LogTail/maximumLines`` lines of the last ``LogTail/maximumBytes`` bytes. Reads backwards until there are
    /// enough lines, so that a huge log costs no more than a small one.
    static func lastLines(of file: Descriptor) throws(SystemError) -> [UInt8] {
        let newline = UInt8(ascii: "\n")
        let end = try file.facts().size
        let start = max(0, end - LogTail.maximumBytes)
        var text: [UInt8] = []
        var position = end
        var newlines = 0
        var pieceBytes = firstPieceBytes
        while position > start {
            let from = max(start, position - pieceBytes)
            pieceBytes *= 2
            var piece = try file.read(at: from, count: Int(position - from))
            // The final newline ends the last line and begins none.
            if position == end, piece.last == newline { piece.removeLast() }
            position = from
            var searched = piece.endIndex
            text = piece + text
            while let found = text[..<searched].lastIndex(of: newline) {
                newlines += 1
                if newlines == LogTail.maximumLines { return Array(text[(found + 1)...]) }
                searched = found
            }
        }
        return text
    }
}
