import Diagnostics
import Glibc
import Linux

/// A `.env` file: `NAME=value` lines, comments, quotes, `export`. Any other line is an error that names its number.
struct EnvironmentFile: Sendable {
    struct Entry: Sendable {
        let name: String
        let value: String
        let line: Int
    }

    let path: String
    let entries: [Entry]

    /// Reads a file and checks who can write it, because its writer decides what the service executes and whom it trusts.
    /// Blocks.
    /// - Throws: ``SettingsError``.
    static func read(_ path: String) throws(SettingsError) -> EnvironmentFile {
        let bytes: [UInt8]
        do {
            let facts: FileFacts
            (bytes, facts) = try Files.readWithFacts(path, limit: 1 << 20, followLink: false)
            try checkOwnership(path, facts)
        } catch let error as SystemError {
            if error.code == EINVAL { throw SettingsError("\(path) is not a regular file", fix: "name the settings file itself") }
            throw SettingsError("\(error)", fix: fix(error, path), cause: error)
        } catch let error as SettingsError {
            throw error
        } catch {
            throw SettingsError("\(path): \(error)", fix: "check the file")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SettingsError("\(path) is not UTF-8", fix: "save it as UTF-8")
        }
        return EnvironmentFile(path: path, entries: try parse(text, path: path))
    }

    private static func fix(_ error: SystemError, _ path: String) -> String {
        if error.code == ELOOP { return "name the file itself, not a link to it" }
        guard error.isPermissionDenied else { return "create it or name another with --env-file" }
        // The folder is closed to us. Do not advise to open it.
        guard (try? Files.facts(path, followLink: false)) != nil else { return "run this as root" }
        return "run this as root; if it is to run as user \(Account.own): \(Account.admission(to: path))"
    }

    /// - Parameter facts: of the file that was read.
    private static func checkOwnership(_ path: String, _ facts: FileFacts) throws {
        guard facts.owner == 0 || facts.owner == geteuid() else {
            throw SettingsError("\(path) belongs to user \(Account.name(facts.owner))", fix: Account.admission(to: path))
        }
        guard !facts.writableByOthers else {
            throw SettingsError("\(path) can be written by others", fix: "chmod go-w \(path)")
        }
        let folder = Files.folder(of: path)
        let folderFacts = try Files.facts(folder, followLink: true)
        guard folderFacts.owner == 0 || folderFacts.owner == geteuid(), !folderFacts.writableByOthers else {
            throw SettingsError(
                "others can replace \(path): its folder is writable by them or not ours", fix: "chmod go-w \(folder), or move the file")
        }
    }

    /// - Parameter path: for messages.
    /// - Throws: ``SettingsError`` with the number of the line.
    static func parse(_ text: String, path: String) throws(SettingsError) -> [Entry] {
        var entries: [Entry] = []
        // By scalars, because Swift counts CR LF as one character, and comparisons of characters normalise.
        for (index, rawLine) in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = index + 1
            var rest = String(String.UnicodeScalarView(rawLine)).trimmed()
            if rest.isEmpty || rest.hasPrefix("#") { continue }
            if rest.hasPrefix("export ") { rest = String(rest.dropFirst(7)).trimmed() }
            guard let equals = rest.firstIndex(of: "="), isName(rest[..<equals]) else {
                throw SettingsError("\(path) line \(line) is not NAME=value", fix: "write NAME=value, or # before a comment")
            }
            let name = String(rest[..<equals])
            if let earlier = entries.first(where: { $0.name == name }) {
                throw SettingsError("\(path) line \(line): \(name) is set a second time (first in line \(earlier.line))", fix: "remove one of them")
            }
            guard let value = value(String(rest[rest.index(after: equals)...])) else {
                throw SettingsError("\(path) line \(line): the value of \(name) is not well quoted", fix: "write \(name)=value, '…' or \"…\"")
            }
            entries.append(Entry(name: name, value: value, line: line))
        }
        return entries
    }

    private static func isName(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
        return text.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }

    /// The value from the text after `=`; nil where the quotes do not match or text follows them.
    private static func value(_ text: String) -> String? {
        var scalars = text.trimmed().unicodeScalars[...]
        guard let quote = scalars.first, quote == "'" || quote == "\"" else {
            let text = String(scalars)
            guard !text.contains("\0") else { return nil }
            // As in a shell, # begins a comment only after a blank.
            guard let comment = text.firstRange(of: " #") else { return text }
            return String(text[..<comment.lowerBound]).trimmed()
        }
        scalars.removeFirst()
        var value = String.UnicodeScalarView()
        while let next = scalars.popFirst() {
            if next == quote {
                let rest = String(scalars).trimmed()
                return rest.isEmpty || rest.hasPrefix("#") ? String(value) : nil
            }
            if next == "\\", quote == "\"", let escaped = scalars.first, "\\\"$`".unicodeScalars.contains(escaped) {
                value.append(escaped)
                scalars.removeFirst()
            } else {
                value.append(next)
            }
        }
        return nil
    }
}
