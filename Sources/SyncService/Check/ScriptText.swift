import RunProtocol

/// What the text of a sync script says about paths, as far as reading it can tell: comments are left out, and variables
/// whose value the text gives are replaced.
///
/// It knows the parts of shell syntax in which scripts write paths: quotes, assignments, redirections, `$NAME`,
/// `${NAME:-default}`, `$(dirname "$0")`. Everything else is unknown, and a path with an unknown part matches nothing.
struct ScriptText {
    /// Stands for a part of a word that is not known. No UTF-8 text has this byte.
    fileprivate static let unknown: UInt8 = 0xFF

    /// The words of all lines, with the values of assignments as words of their own.
    private(set) var words: [[UInt8]] = []
    private var variables: [String: [UInt8]]
    private let path: String
    private let hasComments: Bool

    /// - Parameters:
    ///   - text: the whole script.
    ///   - path: where it is; `$0` and `$(dirname "$0")` follow from it.
    ///   - environment: the `NAME=value` entries it is started with.
    init(_ text: String, path: String, environment: [String]) {
        self.path = path
        // A program has strings, but no comments.
        hasComments = text.hasPrefix("#!")
        variables = [:]
        for entry in environment {
            let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = Array(parts[1].utf8) }
        }
        // A backslash joins lines.
        for line in text.replacing("\\\n", with: " ").utf8.split(separator: UInt8(ascii: "\n")) { read(Array(line), depth: 0) }
    }

    /// Whether the script writes the path as a whole, not as a part of a longer one.
    func mentions(_ path: String) -> Bool {
        let wanted = Array(path.utf8)
        guard let first = wanted.first else { return false }
        return words.contains { word in
            word.indices.contains { at in
                let end = at + wanted.count
                return word[at] == first && end <= word.count && word[at..<end].elementsEqual(wanted)
                    && (at == 0 || !word[at - 1].continuesPath) && (end == word.count || !word[end].continuesPath)
            }
        }
    }

    /// The absolute paths with this ending that the script writes, each once.
    func paths(endingIn suffix: String) -> [String] {
        var found: [String] = []
        for word in words where word.first == UInt8(ascii: "/") && !word.contains(Self.unknown) {
            let text = String(decoding: word, as: UTF8.self)
            if text.hasSuffix(suffix) && !found.contains(text) { found.append(text) }
        }
        return found
    }

    /// Whether the words stand next to each other somewhere.
    func contains(_ sequence: String...) -> Bool {
        let wanted = sequence.map { Array($0.utf8) }
        return words.indices.contains { words[$0...].starts(with: wanted) }
    }

    /// Whether the script closes the run lock's descriptor by its number, all descriptors at once, or one whose number it
    /// computes, for which a shell needs `eval`.
    var closesForeignDescriptors: Bool {
        contains(String(RunDirectory.lockDescriptor), "-")
            || words.map { String(decoding: $0, as: UTF8.self) }.contains { word in
                ["closefrom", "closerange", ">&-", "<&-"].contains(where: word.contains)
            }
    }

    // MARK: Reading

    private mutating func read(_ line: [UInt8], depth: Int) {
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
        guard let equals = word.firstIndex(of: UInt8(ascii: "=")), equals > 0, word[..<equals].allSatisfy(\.isInName) else { return }
        let value = Array(word[(equals + 1)...])
        variables[String(decoding: word[..<equals], as: UTF8.self)] = value
        if !value.isEmpty { words.append(value) }
    }

    /// What follows a `$`; leaves `at` behind it.
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
            // A hostile script nests them deeply.
            if depth < 10 { read(Array(line[inner]), depth: depth + 1) }
            let text = String(decoding: line[inner], as: UTF8.self)
            return text.contains("dirname") && (text.contains("$0") || text.contains("BASH_SOURCE")) ? folder : [Self.unknown]
        case UInt8(ascii: "0"):
            at += 1
            return Array(path.utf8)
        case let first where first.isInName && !first.isDigit:
            at = line[begin...].firstIndex { !$0.isInName } ?? line.count
            return value(of: line[begin..<at])
        default: break
        }
        at += 1
        return [Self.unknown]
    }

    /// The inside of `${…}`.
    private mutating func parameter(_ inner: [UInt8], depth: Int) -> [UInt8] {
        let end = inner.firstIndex { !$0.isInName } ?? inner.count
        let (name, rest) = (inner[..<end], inner[end...])
        if rest.isEmpty { return value(of: name) }
        if name.elementsEqual("0".utf8) || name.elementsEqual("BASH_SOURCE".utf8) {
            return rest.elementsEqual("%/*".utf8) ? folder : [Self.unknown]
        }
        for operation in [":-", "-", ":=", "="] where rest.starts(with: operation.utf8) {
            let known = variables[String(decoding: name, as: UTF8.self)] ?? []
            guard known.isEmpty, depth < 10 else { return known.isEmpty ? [Self.unknown] : known }
            // The default is a word of its own, which may hold variables as well.
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

    /// Between the bracket at `from` and the one that closes it. It looks no further than a few lines, so that brackets
    /// that nothing closes cost no time.
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

    fileprivate var isInName: Bool {
        isDigit || self == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20)
    }

    /// Whether a path goes on with it.
    fileprivate var continuesPath: Bool { isInName || self >= 0x80 || "./~".utf8.contains(self) }

    fileprivate var separatesWords: Bool { self <= 0x20 || self == 0x7F || ";|&<>(){}`,[]".utf8.contains(self) }
}
