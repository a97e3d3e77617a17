import Glibc
import Linux
import RunProtocol

extension LogTail {
    private static let maximumLines = 100
    private static let maximumBytes: Int64 = 1 << 20
    private static let pieceBytes: Int64 = 1 << 16

    /// The last 100 lines of the log, taken from its last mebibyte.
    ///
    /// Any token holder sees what this returns, so a log that is a link (scripts let `latest` point at the newest file)
    /// must not lead to a key: the file that was really opened has to lie beside the log or in SYNC_LOG_DIR, outside
    /// the state directory, and be none of the forbidden files under any name.
    init(answering request: LogTailRequest) {
        do {
            self = .lines(try Self.lastLines(of: try Self.open(request)))
        } catch let error as SystemError {
            self = .unreadable("\(error); let user \(Account.own) read the log, and check SYNC_LOG_PATH")
        } catch {
            self = .unreadable("\(request.logPath): \(error)")
        }
    }

    /// Why a log is not shown.
    private struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    private static func open(_ request: LogTailRequest) throws -> Descriptor {
        // O_NONBLOCK: a FIFO without a writer would hold us for ever.
        let file = try Descriptor.open(request.logPath, O_RDONLY | O_NONBLOCK | O_NOCTTY)
        let facts = try file.facts()
        guard facts.kind == .regular else { throw Refusal(description: "not a regular file") }
        // By the open file, not by the path a second time: a link may have been turned in between, and a log that was
        // rotated away since has no path any more.
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

    /// Reads backwards until there are lines enough, so that a huge log costs no more than a small one.
    private static func lastLines(of file: Descriptor) throws(SystemError) -> [UInt8] {
        let end = try file.facts().size
        let start = max(0, end - maximumBytes)
        var pieces: [[UInt8]] = []
        var position = end
        var newlines = 0
        // The final newline ends the last line and begins none: one more than the lines is needed.
        while position > start, newlines <= maximumLines {
            let from = max(start, position - pieceBytes)
            let piece = try file.read(at: from, count: Int(position - from))
            newlines += piece.count { $0 == UInt8(ascii: "\n") }
            pieces.append(piece)
            position = from
        }
        let tail = Array(pieces.reversed().joined())
        var lines = tail.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return Array(lines.suffix(maximumLines).joined(separator: [UInt8(ascii: "\n")]))
    }
}
