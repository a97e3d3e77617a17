import Glibc
import Linux
import RunProtocol

/// Looks for a process that executes the script, started by whatever name, from whatever folder, through whatever
/// interpreter. `no` is said only where each process is known to do something else.
///
/// A script that a person sources into the shell of a terminal leaves no trace but what it holds. There, only a lock on
/// its lock file tells (``LockWitness``).
struct ScriptProcessSearch {
    private enum Verdict { case runs, doesNot, unknown }

    private let file: FileFacts
    /// Without links, as the kernel names an open file.
    private let path: String
    private let name: String
    private let interpreter: ScriptInterpreter
    /// The beginning of what stands below its first line; empty where that is too short to be told from other scripts.
    private let content: String

    /// - Throws: where the script cannot be read. Then nobody knows what to look for.
    init(script: String) throws(SystemError) {
        let open = try Descriptor.open(script, O_RDONLY | O_NONBLOCK)
        file = try open.facts()
        path = try Files.realPath(script)
        name = ScriptInterpreter.base(script)
        let beginning = try open.read(at: 0, count: 512)
        interpreter = ScriptInterpreter(beginning)
        let below = beginning.drop { $0 != UInt8(ascii: "\n") }.dropFirst().prefix(64)
        content = below.count < 24 ? "" : String(decoding: below, as: UTF8.self)
    }

    /// - Parameter owner: the user whom the script's lock file belongs to.
    func answer(owner: UInt32) -> ScriptProcess {
        guard Self.seesAllProcesses() else { return .cannotSee }
        let entries = ProcessTable.entries()
        let above = Self.ancestors(entries)
        var certain = !interpreter.isUnknown
        for process in entries where process.pid != getpid() && !process.isKernelThread {
            switch verdict(process) {
            case .runs: return .yes
            case .doesNot: continue
            // A new file belongs to the user of the process that makes it, so this lock file is no other user's. Root may
            // have given it away. And a sync does not start the service it is asked about.
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

    /// Another user's process, or one that cannot be traced: all that is seen of it is what it is called.
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
                // bash keeps its script open as 255.
                return verdict(ofInput: process, number: 255)
            }
            if facts.isSameFile(as: file) { return .runs }
            // The process may have left the folder in which the name had its meaning.
            guard argument.hasPrefix("/") || process.hasOpen(facts) else { return .unknown }
            return verdict(ofOther: path)
        }
    }

    /// An interpreter that reads its commands from a descriptor.
    private func verdict(ofInput process: ProcessEntry, number: Int32) -> Verdict {
        let path = "\(process.folder)/fd/\(number)"
        guard let target = try? Files.linkTarget(path), let facts = try? Files.facts(path, followLink: true) else { return .unknown }
        if facts.kind == .regular { return verdict(ofOther: path) }
        // Commands from a terminal are a person's, and there are none in /dev/null.
        if target.hasPrefix("/dev/pts/") || target.hasPrefix("/dev/tty") || target == "/dev/console" || target == "/dev/null" { return .doesNot }
        return process.waitsForInput(number) ? .doesNot : .unknown
    }

    /// Another script, which may have sourced ours, or be about to start it.
    private func verdict(ofOther path: String) -> Verdict {
        guard let open = try? Descriptor.open(path, O_RDONLY | O_NONBLOCK), let facts = try? open.facts() else { return .unknown }
        if facts.isSameFile(as: file) { return .runs }
        guard facts.kind == .regular, facts.size <= 1 << 20, let text = try? open.read(at: 0, count: 1 << 20) else { return .unknown }
        return mayUseScript([String(decoding: text, as: UTF8.self)]) ? .unknown : .doesNot
    }

    /// Whether something that is executed names the script, holds its text, or sources a file whose name is not known.
    private func mayUseScript(_ texts: [String]) -> Bool {
        let word = interpreter.mention(of: name)
        return texts.contains { $0.contains(word) || !content.isEmpty && $0.contains(content) || ScriptInterpreter.sourcesAnyFile($0) }
    }

    private func hasScriptOpen(_ process: ProcessEntry) -> Bool {
        process.hasOpen(file) || process.openFiles().contains(where: isOldScript)
    }

    private func isScript(_ path: String) -> Bool { (try? Files.facts(path, followLink: true)).map { $0.isSameFile(as: file) } ?? false }

    /// The script's file before an update put another in its place.
    private func isOldScript(_ target: String) -> Bool { target == path + Self.deleted }

    private static let deleted = " (deleted)"

    private static func withoutMark(_ target: String) -> String {
        target.hasSuffix(deleted) ? String(target.dropLast(deleted.count)) : target
    }

    /// With hidepid the processes of others are not listed, and then none that is seen proves nothing.
    private static func seesAllProcesses() -> Bool {
        guard let first = try? Files.facts("/proc/1/stat", followLink: true), first.kind == .regular else { return false }
        guard let mounts = try? Descriptor.open("/proc/self/mounts", O_RDONLY), let text = try? mounts.read(at: 0, count: 1 << 20) else { return false }
        let hidden = String(decoding: text, as: UTF8.self).split(separator: "\n").contains { line in
            let fields = line.split(separator: " ")
            return fields.count > 3 && fields[1] == "/proc" && fields[3].split(separator: ",").contains {
                $0.hasPrefix("hidepid=") && !["hidepid=0", "hidepid=off"].contains($0)
            }
        }
        // Who sees another user's first process although others are hidden is exempt.
        return !hidden || geteuid() == 0 || (try? Files.facts("/proc/1", followLink: true))?.owner != geteuid()
    }

    private static func ancestors(_ entries: [ProcessEntry]) -> Set<Int32> {
        let parents = Dictionary(entries.map { ($0.pid, $0.parent) }) { first, _ in first }
        var found: Set<Int32> = []
        var next = getppid()
        while next > 0, found.insert(next).inserted { next = parents[next] ?? 0 }
        return found
    }
}
