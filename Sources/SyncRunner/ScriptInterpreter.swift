import Glibc
import Linux

/// The programs that can execute the script, and what their command lines say they execute.
struct ScriptInterpreter {
    private enum Kind {
        /// A compiled program, which needs no interpreter.
        case none
        /// Any shell: shells execute each other's scripts, and a script without `#!`.
        case shell
        /// Python, Perl and the like: the letters at the start of its names, since `python3` is `python3.11`.
        case named(Set<String>)
        /// Another program starts the interpreter. We would have to understand its command line.
        case unknown
    }

    private static let shells: Set<String> = [
        "sh", "bash", "rbash", "dash", "ash", "busybox", "ksh", "ksh93", "mksh", "lksh", "pdksh", "zsh", "yash", "posh", "fish", "csh", "tcsh",
    ]

    /// Programs that start another one.
    private static let wrappers: Set<String> = [
        "env", "nice", "ionice", "nohup", "setpriv", "setsid", "timeout", "stdbuf", "chrt", "taskset", "unshare", "nsenter", "sudo", "doas", "su",
        "runuser", "flock", "time", "numactl", "systemd-run", "systemd-inhibit", "strace", "xargs",
    ]

    private let kind: Kind

    /// - Parameter beginning: the first bytes of the script, with at least its first line.
    init(_ beginning: [UInt8]) {
        guard beginning.starts(with: "#!".utf8) else {
            kind = beginning.starts(with: [0x7f] + Array("ELF".utf8)) ? .none : .shell
            return
        }
        let line = String(decoding: beginning.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
        kind = words.first.map { Self.base($0) == "env" ? Self.kind(startedByEnv: words.dropFirst()) : Self.kind(of: $0) } ?? .shell
    }

    /// `env -S NAME=value program` names its program further on.
    private static func kind(startedByEnv words: ArraySlice<String>) -> Kind {
        let rest = words.drop { $0 == "-S" || $0 == "-i" || $0.contains("=") && !$0.hasPrefix("-") }
        // The value of another option looks like a program's name.
        guard let program = rest.first, !program.hasPrefix("-") else { return .unknown }
        let folder = program.contains("/") ? nil : ["/usr/local/bin", "/usr/bin", "/bin"].first { access("\($0)/\(program)", X_OK) == 0 }
        return kind(of: folder.map { "\($0)/\(program)" } ?? program)
    }

    /// Uses the name in the script and the name behind the links, which the kernel gives to the process.
    private static func kind(of program: String) -> Kind {
        let names = [base(program), base((try? Files.realPath(program)) ?? program)]
        if names.contains(where: wrappers.contains) { return .unknown }
        return names.contains(where: shells.contains) ? .shell : .named(Set(names.map(stem)))
    }

    /// Whether any program could be executing the script.
    var isUnknown: Bool { if case .unknown = kind { true } else { false } }

    /// Whether a program of this name could be executing the script.
    func includes(_ program: String) -> Bool {
        switch kind {
        case .none: false
        case .shell: Self.shells.contains(program)
        case .named(let stems): stems.contains { Self.stem(program).hasPrefix($0) }
        case .unknown: false
        }
    }

    /// What a program or command line says that makes use of a script of this name. Other languages than the shell's
    /// call a file without its suffix.
    func mention(of name: String) -> String {
        guard case .named = kind, let dot = name.lastIndex(of: "."), dot != name.startIndex else { return name }
        return String(name[..<dot])
    }

    /// Whether a shell that executes this text may read commands from a file that only a variable or a pattern names.
    static func sourcesAnyFile(_ text: String) -> Bool {
        let words = text.split { " \t\n;&|(){}".contains($0) }
        return zip(words, words.dropFirst()).contains { command, file in
            (command == "." || command == "source") && file.contains { "$*?[`".contains($0) }
        }
    }

    /// Where an interpreter has what it executes from.
    enum Source: Equatable {
        /// A file, by the name on the command line.
        case file(String)
        /// The command line itself (`-c`), or a module (`-m`).
        case text
        /// Its standard input: a terminal, a pipe or a file.
        case input
    }

    /// - Parameter arguments: the whole command line. An option whose value is not known to be one is taken for the name
    ///   of a missing file, which leaves the question open.
    func source(_ arguments: [String]) -> Source {
        var rest = arguments.dropFirst()
        if arguments.first.map(Self.base) == "busybox" { rest = rest.dropFirst() }
        while let argument = rest.popFirst() {
            if argument == "--" || argument == "-" { return rest.first.map { .file($0) } ?? .input }
            guard argument.count > 1, argument.hasPrefix("-") || argument.hasPrefix("+") else { return .file(argument) }
            guard !argument.hasPrefix("--") else {
                if argument == "--rcfile" || argument == "--init-file" { _ = rest.popFirst() }
                continue
            }
            switch kind {
            case .shell:
                if argument.contains("c") { return .text }
                if argument.contains("s") { return .input }
                // `-euo pipefail`
                if argument.hasSuffix("o") || argument.hasSuffix("O") { _ = rest.popFirst() }
            default:
                if argument.hasSuffix("c") || argument.hasSuffix("m") { return .text }
                if argument == "-W" || argument == "-X" { _ = rest.popFirst() }
            }
        }
        return .input
    }

    /// The last part of a path; a login shell's name without its dash.
    static func base(_ path: String) -> String {
        let name = path.utf8.split(separator: UInt8(ascii: "/")).last.map { String(Substring($0)) } ?? path
        return name.hasPrefix("-") ? String(name.dropFirst()) : name
    }

    private static func stem(_ name: String) -> String { String(name.prefix { $0.isLetter }) }
}
