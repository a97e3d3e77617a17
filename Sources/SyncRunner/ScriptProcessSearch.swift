import Glibc
import Linux
import RunProtocol

/// Looks for a process that executes the script, started under any name, from any folder, through any interpreter. The answer
/// is `no` only if each process is known to do something else.
///
/// A script that a person sources into the shell of a terminal leaves no trace but its open files. Only a lock on its lock file
/// shows it (``ScriptLock/state(of:)``).
struct ScriptProcessSearch {
    private enum Verdict { case runs, doesNot, unknown }

    private let table: ProcessTable
    private let file: FileFacts
    /// With links resolved, as the kernel names an open file.
    private let path: String
    private let name: String
    private let interpreter: ScriptInterpreter
    /// The first bytes below its first line; empty if they are too few to tell it from other scripts.
    private let content: String

    /// Whether the script runs somewhere.
    /// - Parameter lockPath: the script's lock file. A lock on it is proof enough.
    static func answer(script: String, lockPath: String) -> ScriptProcess {
        switch ScriptLock.state(of: lockPath) {
        case .held: return .yes
        case .unknown: return .cannotSee
        case .free:
            // Without a lock file we ask for a script of our own user, as ours would be.
            let owner = (try? Files.facts(lockPath, followLink: false))?.owner ?? geteuid()
            return (try? ScriptProcessSearch(script: script))?.answer(owner: owner) ?? .cannotSee
        }
    }

    /// - Parameter table: where the processes are.
    /// - Throws: if the script cannot be read. Then we do not know what to look for.
    init(script: String, in table: ProcessTable = ProcessTable()) throws(SystemError) {
        self.table = table
        let open = try Descriptor.open(script, O_RDONLY | O_NONBLOCK)
        file = try open.facts()
        path = try Files.realPath(script)
        name = ScriptInterpreter.base(script)
        let beginning = try open.read(at: 0, count: 512)
        interpreter = ScriptInterpreter(beginning)
        let below = beginning.drop { $0 != UInt8(ascii: "\n") }.dropFirst().prefix(64)
        content = below.count < 24 ? "" : String(decoding: below, as: UTF8.self)
    }

    /// Looks at every process.
    /// - Parameter owner: the owner of the script's lock file.
    func answer(owner: UInt32) -> ScriptProcess {
        guard seesAllProcesses() else { return .cannotSee }
        let entries = table.entries()
        let above = Self.ancestors(entries)
        var certain = !interpreter.isUnknown
        for process in entries where process.pid != getpid() && !process.isKernelThread {
            switch verdict(process) {
            case .runs: return .yes
            case .doesNot: continue
            // A new file belongs to the user of the process that makes it, so only a process of the lock file's owner counts,
            // or of root, which may give files away. A sync does not start the service, so our ancestors do not count.
            case .unknown: if !above.contains(process.pid) && process.mayAct(as: [owner, 0]) { certain = false }
            }
        }
        return certain ? .no : .cannotSee
    }

    private func verdict(_ process: ProcessEntry) -> Verdict {
        let program = try? Files.linkTarget(process.folder + "/exe")
        if let program, isScript(process.folder + "/exe") || isOldScript(program) { return .runs }
        if hasScriptOpen(process) { return .runs }
        let arguments = process.arguments()
        if arguments.contains(where: { ScriptInterpreter.base($0) == name && isScript(process.resolve($0)) }) { return .runs }
        guard let program else { return verdictByNames(process, arguments) }
        guard interpreter.includes(ScriptInterpreter.base(Self.withoutMark(program))) else { return .doesNot }
        return verdict(ofInterpreter: process, arguments)
    }

    /// The verdict on another user's process, or one that cannot be traced. Only its names are visible.
    private func verdictByNames(_ process: ProcessEntry, _ arguments: [String]) -> Verdict {
        let names = [process.name] + arguments.prefix(1).map { ScriptInterpreter.base($0) }
        let hasName = process.name.utf8.elementsEqual(name.utf8.prefix(15))
        guard hasName || names.contains(where: interpreter.includes) else { return .doesNot }
        switch interpreter.source(arguments) {
        case .text: return mayUseScript(arguments) ? .unknown : .doesNot
        case .input: return process.hasTerminal() || arguments.first?.hasPrefix("-") == true ? .doesNot : .unknown
        case .file(let argument):
            if ScriptInterpreter.base(argument) == name && !argument.hasPrefix("/") { return .runs }
            return argument.hasPrefix("/") ? verdict(ofOther: argument) : .unknown
        }
    }

    private func verdict(ofInterpreter process: ProcessEntry, _ arguments: [String]) -> Verdict {
        switch interpreter.source(arguments) {
        case .text: return mayUseScript(arguments) ? .unknown : .doesNot
        case .input: return verdict(ofInput: process, number: 0)
        case .file(let argument):
            let path = process.resolve(argument)
            guard let facts = try? Files.facts(path, followLink: true), facts.kind == .regular else {
                // bash keeps its script open as descriptor 255.
                return verdict(ofInput: process, number: 255)
            }
            if facts.isSameFile(as: file) { return .runs }
            // A relative name means nothing once the process has left the folder.
            guard argument.hasPrefix("/") || process.hasOpen(facts) else { return .unknown }
            return verdict(ofOther: path)
        }
    }

    /// The verdict on an interpreter that reads its commands from a descriptor.
    private func verdict(ofInput process: ProcessEntry, number: Int32) -> Verdict {
        let path = "\(process.folder)/fd/\(number)"
        guard let target = try? Files.linkTarget(path), let facts = try? Files.facts(path, followLink: true) else { return .unknown }
        if facts.kind == .regular { return verdict(ofOther: path) }
        // A person types commands at a terminal, and /dev/null has none.
        if target.hasPrefix("/dev/pts/") || target.hasPrefix("/dev/tty") || target == "/dev/console" || target == "/dev/null" { return .doesNot }
        return process.waitsForInput(number) ? .doesNot : .unknown
    }

    /// The verdict on another script, which may have sourced ours or may start it next.
    private func verdict(ofOther path: String) -> Verdict {
        guard let open = try? Descriptor.open(path, O_RDONLY | O_NONBLOCK), let facts = try? open.facts() else { return .unknown }
        if facts.isSameFile(as: file) { return .runs }
        guard facts.kind == .regular, facts.size <= 1 << 20, let text = try? open.read(at: 0, count: 1 << 20) else { return .unknown }
        return mayUseScript([String(decoding: text, as: UTF8.self)]) ? .unknown : .doesNot
    }

    /// Whether a text that is executed names the script, contains its text, or sources a file of unknown name.
    private func mayUseScript(_ texts: [String]) -> Bool {
        let word = interpreter.mention(of: name)
        return texts.contains { $0.contains(word) || !content.isEmpty && $0.contains(content) || ScriptInterpreter.sourcesAnyFile($0) }
    }

    private func hasScriptOpen(_ process: ProcessEntry) -> Bool {
        process.hasOpen(file) || process.openFiles().contains(where: isOldScript)
    }

    private func isScript(_ path: String) -> Bool { (try? Files.facts(path, followLink: true)).map { $0.isSameFile(as: file) } ?? false }

    /// Whether it is the script's file before an update replaced it.
    private func isOldScript(_ target: String) -> Bool { target == path + Self.deleted }

    private static let deleted = " (deleted)"

    private static func withoutMark(_ target: String) -> String {
        target.hasSuffix(deleted) ? String(target.dropLast(deleted.count)) : target
    }

    /// With hidepid the processes of others are not listed. Then the visible ones prove nothing.
    private func seesAllProcesses() -> Bool {
        guard let first = try? Files.facts(table.root + "/1/stat", followLink: true), first.kind == .regular else { return false }
        guard let mounts = try? Descriptor.open(table.root + "/self/mounts", O_RDONLY), let text = try? mounts.read(at: 0, count: 1 << 20)
        else { return false }
        // If we see another user's first process although processes are hidden, we are exempt.
        return !ProcFormat.hidesProcesses(mounts: text) || geteuid() == 0
            || (try? Files.facts(table.root + "/1", followLink: true))?.owner != geteuid()
    }

    private static func ancestors(_ entries: [ProcessEntry]) -> Set<Int32> {
        let parents = Dictionary(entries.map { ($0.pid, $0.parent) }) { first, _ in first }
        var found: Set<Int32> = []
        var next = getppid()
        while next > 0, found.insert(next).inserted { next = parents[next] ?? 0 }
        return found
    }
}
