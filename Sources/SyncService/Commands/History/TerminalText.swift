import Glibc
import JSON

/// Values of a run record as a terminal may show them.
enum TerminalText {
    static func of(_ value: JSONValue) -> String {
        switch value {
        case .null: "-"
        case .bool(let flag): flag ? "yes" : "no"
        case .integer(let number): String(number)
        // A user's name comes from a token, so it may hold sequences that move the cursor or colour the terminal.
        case .string(let text): String(decoding: printable(Array(text.utf8)).filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        default: "?"
        }
    }

    /// - Parameter value: milliseconds, or null for a run that has not ended.
    static func duration(_ value: JSONValue) -> String {
        guard case .integer(let milliseconds) = value else { return "-" }
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        let seconds = milliseconds / 1000
        return seconds < 60 ? "\(seconds) s" : seconds < 3600 ? "\(seconds / 60) m \(seconds % 60) s" : "\(seconds / 3600) h \(seconds / 60 % 60) m"
    }

    /// Replaces control characters if standard output is a terminal. A file or a pipe gets every byte.
    static func printable(_ bytes: [UInt8]) -> [UInt8] {
        guard isatty(STDOUT_FILENO) == 1 else { return bytes }
        let scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars.map { scalar -> Unicode.Scalar in
            let harmless = scalar == "\n" || scalar == "\t" || scalar.properties.generalCategory != .control
            return harmless ? scalar : "\u{FFFD}"
        }
        return Array(String(String.UnicodeScalarView(scalars)).utf8)
    }
}
