import RunProtocol

/// What the text of a sync script says about paths and descriptors, as far as ``ShellWordReader`` understands it.
struct ScriptText {
    /// The words of all lines, with the values of assignments as words of their own.
    let words: [[UInt8]]

    /// - Parameters:
    ///   - text: the whole script.
    ///   - path: of the script, for `$0` and `$(dirname "$0")`.
    ///   - environment: the `NAME=value` entries that the script gets.
    init(_ text: String, path: String, environment: [String]) {
        var reader = ShellWordReader(path: path, environment: environment, hasComments: text.hasPrefix("#!"))
        // A backslash joins lines.
        for line in text.replacing("\\\n", with: " ").utf8.split(separator: UInt8(ascii: "\n")) { reader.read(Array(line)) }
        words = reader.words
    }

    /// Whether the script has this path, and not only as a part of a longer one.
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

    /// The absolute paths in the script that have this ending, each once.
    func paths(endingIn suffix: String) -> [String] {
        var found: [String] = []
        for word in words where word.first == UInt8(ascii: "/") && !word.contains(ShellWordReader.unknown) {
            let text = String(decoding: word, as: UTF8.self)
            if text.hasSuffix(suffix) && !found.contains(text) { found.append(text) }
        }
        return found
    }

    /// Whether the script has these words next to each other.
    func contains(_ sequence: String...) -> Bool {
        let wanted = sequence.map { Array($0.utf8) }
        return words.indices.contains { words[$0...].starts(with: wanted) }
    }

    /// Whether the script closes the run lock's descriptor by its number, all descriptors at once, or one whose number it
    /// computes with `eval`.
    var closesForeignDescriptors: Bool {
        contains(String(RunDirectory.lockDescriptor), "-")
            || words.map { String(decoding: $0, as: UTF8.self) }.contains { word in
                ["closefrom", "closerange", ">&-", "<&-"].contains(where: word.contains)
            }
    }
}

extension UInt8 {
    /// Whether a path continues with this byte.
    fileprivate var continuesPath: Bool { isInShellName || self >= 0x80 || "./~".utf8.contains(self) }
}
