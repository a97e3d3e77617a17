/// Splits shell text into words. Comments are left out, and variables whose value the text gives are replaced.
///
/// It knows the parts of shell syntax in which scripts write paths: quotes, assignments, redirections, `$NAME`,
/// `${NAME:-default}`, `$(dirname "$0")`. Everything else becomes ``unknown``, so a path with such a part matches nothing.
struct ShellWordReader {
    /// Stands for the part of a word whose value is not known. No UTF-8 text has this byte.
    static let unknown: UInt8 = 0xFF
    private static let deepest = 10

    /// The words so far, with the values of assignments as words of their own.
    private(set) var words: [[UInt8]] = []
    private var variables: [String: [UInt8]] = [:]
    private let path: String
    private let hasComments: Bool

    /// - Parameters:
    ///   - path: of the script.
    ///   - environment: the `NAME=value` entries that the script gets.
    ///   - hasComments: a compiled program has strings with #, but no comments.
    init(path: String, environment: [String], hasComments: Bool) {
        self.path = path
        self.hasComments = hasComments
        for entry in environment {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = Array(parts[1].utf8) }
        }
    }

    /// Adds the words of a line.
    /// - Parameter depth: how many substitutions the line is in. A hostile script nests them deeply.
    mutating func read(_ line: [UInt8], depth: Int = 0) {
        var word: [UInt8] = []
        var isWord = false
        var quote: UInt8?
        var at = 0
        func byte(_ index: Int) -> UInt8? { line.indices.contains(index) ? line[index] : nil }
        while let current = byte(at) {
            at += 1
            switch (current, quote) {
            case (UInt8(ascii: "'"), nil), (UInt8(ascii: "\""), nil):
                (quote, isWord) = (current, true)
            case (_, .some(current)): quote = nil
            case (_, UInt8(ascii: "'")): word.append(current)
            case (UInt8(ascii: "\\"), _):
                if let next = byte(at) { word.append(next) }
                (at, isWord) = (at + 1, true)
            case (UInt8(ascii: "$"), _):
                word += expansion(in: line, at: &at, depth: depth)
                isWord = true
            case (UInt8(ascii: "#"), nil) where !isWord && word.isEmpty && hasComments: at = line.count
            case (_, nil) where current.separatesWords:
                finish(&word, &isWord)
            default:
                word.append(current)
                isWord = true
            }
        }
        finish(&word, &isWord)
    }

    private mutating func finish(_ word: inout [UInt8], _ isWord: inout Bool) {
        defer { (word, isWord) = ([], false) }
        guard !word.isEmpty else { return }
        words.append(word)
        guard let equals = word.firstIndex(of: UInt8(ascii: "=")), equals > 0, word[..<equals].allSatisfy(\.isInShellName) else { return }
        let value = Array(word[(equals + 1)...])
        variables[String(decoding: word[..<equals], as: UTF8.self)] = value
        if !value.isEmpty { words.append(value) }
    }

    /// The value of what follows a `$`. Moves `at` to the byte after it.
    private mutating func expansion(in line: [UInt8], at: inout Int, depth: Int) -> [UInt8] {
        guard at < line.count else { return [UInt8(ascii: "$")] }
        let begin = at
        switch line[begin] {
        case UInt8(ascii: "{"):
            guard let inner = Self.enclosed(line, from: begin, by: UInt8(ascii: "{"), UInt8(ascii: "}")) else { break }
            at = inner.upperBound + 1
            return parameter(Array(line[inner]), depth: depth)
        case UInt8(ascii: "("):
            guard let inner = Self.enclosed(line, from: begin, by: UInt8(ascii: "("), UInt8(ascii: ")")) else { break }
            at = inner.upperBound + 1
            if depth < Self.deepest { read(Array(line[inner]), depth: depth + 1) }
            let text = String(decoding: line[inner], as: UTF8.self)
            return text.contains("dirname") && (text.contains("$0") || text.contains("BASH_SOURCE")) ? folder : [Self.unknown]
        case UInt8(ascii: "0"):
            at += 1
            return Array(path.utf8)
        case let first where first.isInShellName && !first.isDigit:
            at = line[begin...].firstIndex { !$0.isInShellName } ?? line.count
            return value(of: line[begin..<at])
        default: break
        }
        at += 1
        return [Self.unknown]
    }

    /// The value of `${inner}`.
    private mutating func parameter(_ inner: [UInt8], depth: Int) -> [UInt8] {
        let end = inner.firstIndex { !$0.isInShellName } ?? inner.count
        let (name, rest) = (inner[..<end], inner[end...])
        if rest.isEmpty { return value(of: name) }
        if name.elementsEqual("0".utf8) || name.elementsEqual("BASH_SOURCE".utf8) {
            return rest.elementsEqual("%/*".utf8) ? folder : [Self.unknown]
        }
        for operation in [":-", "-", ":=", "="] where rest.starts(with: operation.utf8) {
            let known = variables[String(decoding: name, as: UTF8.self)] ?? []
            guard known.isEmpty, depth < Self.deepest else { return known.isEmpty ? [Self.unknown] : known }
            // The default is a word that may have variables in it.
            let before = words.count
            read([UInt8(ascii: "\"")] + rest.dropFirst(operation.utf8.count) + [UInt8(ascii: "\"")], depth: depth + 1)
            let value = words.count > before ? words[before] : []
            if operation.hasSuffix("=") { variables[String(decoding: name, as: UTF8.self)] = value }
            return value
        }
        return [Self.unknown]
    }

    private func value(of name: ArraySlice<UInt8>) -> [UInt8] {
        if name.elementsEqual("0".utf8) { return Array(path.utf8) }
        return variables[String(decoding: name, as: UTF8.self)] ?? [Self.unknown]
    }

    private var folder: [UInt8] { Array((path.split(separator: "/").dropLast().map { "/\($0)" }.joined()).utf8) }

    /// The range between the bracket at `from` and its closing bracket; nil where there is none within 4096 bytes. Without
    /// that limit a script of unclosed brackets would take quadratic time.
    private static func enclosed(_ line: [UInt8], from: Int, by open: UInt8, _ close: UInt8) -> Range<Int>? {
        var level = 0
        for at in from..<min(line.count, from + 4096) {
            if line[at] == open { level += 1 }
            if line[at] == close { level -= 1 }
            if level == 0 { return from + 1..<at }
        }
        return nil
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    /// Whether the name of a variable can have this byte.
    var isInShellName: Bool {
        isDigit || self == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
    }

    fileprivate var separatesWords: Bool { self <= 0x20 || self == 0x7F || ";|&<>(){}`,[]".utf8.contains(self) }
}
